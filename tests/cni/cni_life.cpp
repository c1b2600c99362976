// SPDX-License-Identifier: Apache-2.0
// An attachment's life: ADD, CHECK, DEL, GC, STATUS in attach mode runtime.
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "attachment.hpp"
#include "made_pools.hpp"
#include "netns/pool_scene.hpp"
#include "plugin_driver.hpp"

namespace particle::test {
namespace {

Json with(Json conf, const std::string& key, Json value) {
  conf[key] = std::move(value);
  return conf;
}

Json valid(const std::vector<std::string>& ids) {
  Json list = Json::array();
  for (const auto& id : ids) list.push_back({{"containerID", id}, {"ifname", "eth0"}});
  return list;
}

/// What scene.conf() asks for.
PoolSpec by_hand() {
  PoolSpec spec;
  spec.name = "acme";
  spec.tenant = "acme";
  spec.vni = must(Vni::from(100));
  spec.blocks = {{must(IpPrefix::parse("10.1.0.0/24")), std::nullopt}};
  spec.count = 8;
  spec.underlay.device = kUnderlayDevice;
  return spec;
}

}  // namespace

TEST_CASE("cni: the first ADD makes the tenant's pool, later ones lease, the last DEL removes it") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = scene.conf();
  const Json first = scene.add("c1", conf);
  CHECK(first["cniVersion"] == "1.1.0");
  CHECK(first["interfaces"].size() == 1);
  CHECK(first["interfaces"][0]["name"] == "eth0");
  CHECK(first["interfaces"][0]["sandbox"] == scene.container("c1"));
  CHECK(first["interfaces"][0]["mtu"] == 1450);
  CHECK(first["ips"][0]["address"] == "10.1.0.1/24");
  CHECK(first["ips"][0]["interface"] == 0);
  const Json second = scene.add("c2", conf);
  CHECK(address_of(second) == "10.1.0.2");
  CHECK(first["interfaces"][0]["mac"] == second["interfaces"][0]["mac"]);

  const Node node = scene.node();
  CHECK(must(node.inspect_pool("acme")).leased == 2);
  CHECK(must(node.inspect_pool("acme")).health == PoolHealth::ready);
  scene.del("c1", conf);
  CHECK(must(node.inspect_pool("acme")).leased == 1);
  scene.del("c2", conf);
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: the attachment record tells the OCI wrapper where a container belongs") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = scene.conf();
  conf["runtimeConfig"] = {{"cgroupPath", "/kubepods/pod7"}};
  scene.add("c1", conf,
            {{"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart-0;X=1"}});
  const Node node = scene.node();
  const auto records = must(cni::AttachmentStore::of(node).of_container("c1"));
  REQUIRE(records.size() == 1);
  const auto record = must(records.front().attachment);
  CHECK(record.complete);
  CHECK(record.pool == "acme");
  CHECK(record.run_dir == scene.run_dir());
  CHECK(record.v4 == must(IpAddress::parse("10.1.0.1")));
  CHECK(record.netns_path == must(node.find_pool("acme")).netns_path);
  CHECK(record.pod.space == "shop");
  CHECK(record.pod.name == "cart-0");
  CHECK(record.cgroup_path == "/kubepods/pod7");
  scene.del("c1", conf);
  CHECK(must(cni::AttachmentStore::of(node).of_container("c1")).empty());
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: a pod's annotations choose its pool, its address and how it is kept to it") {
  if (!need_namespaces()) return;
  CniScene scene;
  const auto annotated = [&](Json annotations) {
    annotations["example.com/else"] = "not ours";
    return with(scene.conf(), "runtimeConfig",
                {{"io.kubernetes.cri.pod-annotations", std::move(annotations)}});
  };
  const Json chosen = annotated({{"io.particle.ip", "10.1.0.5"},
                                 {"io.particle.enforce", "off"},
                                 {"io.particle.policy", "strict"}});
  CHECK(address_of(scene.add("c1", chosen)) == "10.1.0.5");
  const Node node = scene.node();
  const auto store = cni::AttachmentStore::of(node);
  CHECK(must(must(store.of_container("c1")).front().attachment).enforce == "off");
  // What the runtime says for the container comes before the pod's annotation.
  CHECK(address_of(scene.add("c2", chosen, {{"CNI_ARGS", "IP=10.1.0.6"}})) == "10.1.0.6");
  scene.container("c3");
  CHECK(scene.call("ADD", "c3", chosen).code() == 11);

  must(node.create_pool(pool_spec("acme-jobs", "acme", 100, {"10.1.1.0/28"})));
  const Json elsewhere = annotated({{"io.particle.pool", "acme-jobs"}});
  CHECK(address_of(scene.add("c4", elsewhere)) == "10.1.1.1");
  CHECK(must(node.count_leases("acme-jobs")) == 1);
  scene.del("c4", elsewhere);
  CHECK(must(node.count_leases("acme-jobs")) == 0);

  must(node.create_pool(pool_spec("blue", "blue", 101, {"10.2.0.0/28"})));
  scene.container("c5");
  const auto refused = [&](const Json& annotations, int code, const std::string& word) {
    const CniAnswer answer = scene.call("ADD", "c5", annotated(annotations));
    CHECK(answer.code() == code);
    CHECK(answer.message().find(word) != std::string::npos);
  };
  refused({{"io.particle.pool", "blue"}}, 7, "not of tenant acme");
  refused({{"io.particle.pool", "nowhere"}}, 7, "no such pool");
  refused({{"io.particle.pool", "../x"}}, 7, "io.particle.pool");
  refused({{"io.particle.ip", "10.1.0"}}, 7, "io.particle.ip");
  refused({{"io.particle.ip", 7}}, 7, "not a string");
  refused({{"io.particle.enforce", "firmly"}}, 2, "io.particle.enforce");
  refused({{"io.particle.pol", "acme"}}, 2, "io.particle.pol");
  CHECK(must(store.of_container("c5")).empty());

  for (const auto* id : {"c1", "c2"}) scene.del(id, chosen);
  must(node.delete_pool("acme-jobs"));
  must(node.delete_pool("blue"));
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: DEL succeeds repeated, before any ADD, and with the namespace gone") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = scene.conf();
  scene.del("never", conf);
  scene.add("c1", conf);
  must(unpin_netns(scene.container("c1")));
  scene.del("c1", conf);
  scene.del("c1", conf);
  scene.add("c2", conf);
  scene.del("c2", conf, {{"CNI_NETNS", ""}});
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: DEL gives back what ADD took although the configuration was broken since") {
  if (!need_namespaces()) return;
  CniScene scene;
  scene.add("c1", scene.conf());
  const Json broken{{"cniVersion", "1.0.0"},
                    {"name", "web"},
                    {"type", "particle-cni"},
                    {"vni", "many"},
                    {"runDir", scene.run_dir()}};
  scene.del("c1", broken);
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: CHECK finds what ADD made, and says what of it is gone") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = scene.conf();
  Json result = scene.add("c1", conf);
  CHECK(scene.call("CHECK", "c1", conf).code() == 7);  // no prevResult
  // Later plugins of a chain may have added to the result.
  result["interfaces"].push_back({{"name", "lo"}, {"sandbox", scene.container("c1")}});
  conf["prevResult"] = result;
  CHECK(scene.call("CHECK", "c1", conf).code() == 0);
  CHECK(scene.call("CHECK", "other", conf, {{"CNI_NETNS", scene.container("c1")}}).code() == 3);

  Json other = conf;
  other["prevResult"]["ips"][0]["address"] = "10.1.0.77/24";
  CHECK(scene.call("CHECK", "c1", other).code() == 105);

  const Node node = scene.node();
  const NetNs pool = must(node.open_pool_netns("acme"));
  CHECK(run_command({"ip", "link", "set", "eth0", "down"}, &pool).exit_code == 0);
  CHECK(scene.call("CHECK", "c1", conf).code() == 105);
  CHECK(scene.call("STATUS", "", scene.conf()).code() == 51);
  must(node.collect_garbage());
  CHECK(scene.call("CHECK", "c1", conf).code() == 0);
  scene.del("c1", conf);
}

TEST_CASE("cni: GC removes exactly the attachments that the runtime no longer knows") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = scene.conf();
  for (const char* id : {"c1", "c2", "c3"}) scene.add(id, conf);
  Json other = with(conf, "name", "other-network");
  scene.add("c1", other);
  const Node node = scene.node();

  CHECK(scene.call("GC", "", conf).code() == 7);  // a missing list is no empty list
  CHECK(must(node.count_leases("acme")) == 4);
  const Json half = with(conf, "cni.dev/valid-attachments", {{{"containerID", "c1"}}});
  CHECK(scene.call("GC", "", half).code() == 7);
  CHECK(must(node.count_leases("acme")) == 4);

  const CniAnswer done =
      scene.call("GC", "", with(conf, "cni.dev/valid-attachments", valid({"c2"})));
  CHECK(done.exit_code == 0);
  CHECK(done.out.empty());
  std::set<std::string> holders;
  for (const auto& lease : must(node.leases("acme"))) holders.insert(lease.holder);
  CHECK(holders == std::set<std::string>{"other-network.c1.eth0", "web.c2.eth0"});

  scene.call("GC", "", with(conf, "cni.dev/valid-attachments", Json::array()));
  CHECK(scene.call("GC", "", with(other, "cni.dev/valid-attachments", Json::array())).code() == 0);
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: STATUS is 50 and ADD 11 once every endpoint is leased") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = with(scene.conf(), "count", 2);
  CHECK(scene.call("STATUS", "", conf).code() == 0);
  CHECK(scene.leftovers().empty());
  scene.add("c1", conf);
  CHECK(scene.call("STATUS", "", conf).code() == 0);
  scene.add("c2", conf);
  CHECK(scene.call("STATUS", "", conf).code() == 50);
  scene.container("c3");
  CHECK(scene.call("ADD", "c3", conf).code() == 11);
  scene.del("c1", conf);
  CHECK(scene.call("STATUS", "", conf).code() == 0);
  // The endpoint rests for a second before it is given to somebody else: ADD waits for it.
  CHECK(address_of(scene.add("c3", conf)) == "10.1.0.1");
  for (const char* id : {"c2", "c3"}) scene.del(id, conf);
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: an empty pool stays as long as keepPool says, and goes with the next sweep") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = with(scene.conf(), "keepPool", 1);
  scene.add("c1", conf);
  scene.del("c1", conf);
  const Node node = scene.node();
  CHECK(must(node.inspect_pool("acme")).health == PoolHealth::ready);
  scene.add("c2", conf);
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  CHECK(scene.call("STATUS", "", conf).code() == 0);
  CHECK(must(node.inspect_pool("acme")).leased == 1);  // in use: it stays
  scene.del("c2", conf);
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  CHECK(scene.call("STATUS", "", conf).code() == 0);
  CHECK(scene.leftovers().empty());
}

TEST_CASE(
    "cni: GC of one network leaves another network's warm pool alone, and no GC prolongs one") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json cold = scene.conf();
  Json warm = with(with(with(cold, "name", "warm"), "tenant", "blue"), "vni", 200);
  warm["prefix"] = "10.2.0.0/24";
  warm["keepPool"] = 2;
  scene.add("c1", warm);
  scene.del("c1", warm);
  const Json none = Json::array();
  CHECK(scene.call("GC", "", with(cold, "cni.dev/valid-attachments", none)).code() == 0);
  CHECK(must(scene.node().inspect_pool("blue")).health == PoolHealth::ready);
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    CHECK(scene.call("GC", "", with(warm, "cni.dev/valid-attachments", none)).code() == 0);
  }
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: a pool that was made by hand is used and never removed") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Node node = scene.node();
  must(node.create_pool(by_hand()));
  scene.add("c1", scene.conf());
  scene.del("c1", scene.conf());
  CHECK(must(node.inspect_pool("acme")).health == PoolHealth::ready);
  must(node.delete_pool("acme"));
}

TEST_CASE(
    "cni: a pool that was made by hand in place of one that the plugin made is never removed") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Node node = scene.node();
  scene.add("c1", scene.conf());
  must(node.delete_pool("acme", true));
  must(node.create_pool(by_hand()));
  scene.add("c2", scene.conf());
  scene.del("c2", scene.conf());
  scene.del("c1", scene.conf());
  CHECK(must(node.inspect_pool("acme")).health == PoolHealth::ready);
  must(node.delete_pool("acme"));
  CHECK(scene.leftovers().empty());
}

TEST_CASE(
    "cni: gc ends a pool that the plugin made and nobody uses, and the mark of one that is gone") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Node node = scene.node();
  const cni::MadePools made(node, cni::AttachmentStore::of(node).directory());
  scene.add("c1", scene.conf());
  CHECK(made.collect(false).empty());
  // What `particle gc` does for a container whose namespace is gone: no DEL comes for it.
  const auto store = cni::AttachmentStore::of(node);
  const cni::Attachment attachment = must(must(store.all()).front().attachment);
  must(node.release("acme", must(attachment.key.holder())));
  must(store.remove(attachment.key));
  CHECK(made.collect(true).size() == 1);
  CHECK(must(node.inspect_pool("acme")).health == PoolHealth::ready);
  const auto findings = made.collect(false);
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().object == "pool acme");
  CHECK(scene.leftovers().empty());

  scene.add("c2", scene.conf());
  must(node.delete_pool("acme", true));
  must(store.remove(must(store.all()).front().key));
  REQUIRE(made.collect(false).size() == 1);
  CHECK(scene.leftovers().empty());
}

TEST_CASE(
    "cni: a pool that is attached directly is made by the first ADD and goes with the last DEL") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = with(scene.conf(), "attachment", "direct");
  scene.add("c1", conf);
  scene.add("c2", conf);
  const PoolInfo pool = must(scene.node().inspect_pool("acme"));
  CHECK(pool.attachment == Attachment::direct);
  CHECK(pool.health == PoolHealth::ready);
  CHECK(pool.leased == 2);
  // Without the key whatever is there will do; with it, only what it says.
  scene.add("c3", scene.conf());
  scene.container("c4");
  const CniAnswer other = scene.call("ADD", "c4", with(conf, "attachment", "veth"));
  CHECK(other.code() == 7);
  CHECK(other.message().find("attachment") != std::string::npos);
  for (const char* id : {"c1", "c2", "c3"}) scene.del(id, conf);
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: addresses can be asked for by capability and by CNI_ARGS, in both families") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = with(scene.conf(), "prefix", Json::array({"10.1.0.0/24", "fd00:1::/64"}));
  const Json by_args = scene.add("c1", conf, {{"CNI_ARGS", "IP=10.1.0.5"}});
  CHECK(by_args["ips"][0]["address"] == "10.1.0.5/24");
  CHECK(by_args["ips"][1]["address"] == "fd00:1::5/64");
  Json wish = with(conf, "runtimeConfig", {{"ips", {"10.1.0.7/24", "fd00:1::7/64"}}});
  CHECK(address_of(scene.add("c2", wish), 1) == "fd00:1::7");
  scene.container("c3");
  CHECK(scene.call("ADD", "c3", wish).code() == 11);  // held by c2
  wish["runtimeConfig"]["ips"] = {"10.1.0.6", "fd00:1::8"};
  CHECK(scene.call("ADD", "c3", wish).code() == 7);  // of two endpoints
  wish["runtimeConfig"]["ips"] = {"10.9.0.6"};
  CHECK(scene.call("ADD", "c3", wish).code() == 7);  // of no endpoint
  CHECK(must(scene.node().count_leases("acme")) == 2);
  for (const char* id : {"c1", "c2"}) scene.del(id, conf);
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni: ADD refuses a second attachment, a taken interface and a lost namespace") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = scene.conf();
  scene.add("c1", conf);
  CHECK(scene.call("ADD", "c1", conf).code() == 103);
  CHECK(must(scene.node().count_leases("acme")) == 1);

  const NetNs taken = must(NetNs::open_path(scene.container("c2")));
  CHECK(run_command({"ip", "link", "add", "eth0", "type", "bridge"}, &taken).exit_code == 0);
  CHECK(scene.call("ADD", "c2", conf).code() == 103);
  CHECK(scene.call("ADD", "c3", conf).code() == 3);
  std::ofstream(scene.file("netns/plain")) << "x";
  CHECK(scene.call("ADD", "plain", conf).code() == 4);
  CHECK(scene.call("ADD", "c2", conf, {{"CNI_NETNS", "/proc/self/ns/net"}}).code() == 4);
  scene.del("c1", conf);
  CHECK(scene.leftovers().empty());
}

TEST_CASE(
    "cni: a configuration that changed under a live pool is refused, and VNIs are one tenant's") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = scene.conf();
  scene.add("c1", conf);
  scene.container("c2");
  const CniAnswer changed = scene.call("ADD", "c2", with(conf, "prefix", "10.2.0.0/24"));
  CHECK(changed.code() == 7);
  CHECK(changed.message().find("10.2.0.0/24") != std::string::npos);
  // Nothing was leased in between: a lease that is given back rests for a second.
  CHECK(must(scene.node().inspect_pool("acme")).cooling == 0);
  Json blue = with(with(conf, "tenant", "blue"), "prefix", "10.3.0.0/24");
  const CniAnswer vni = scene.call("ADD", "c2", blue);
  CHECK(vni.code() == 7);
  CHECK(vni.message().find("VNI 100") != std::string::npos);
  CHECK(scene.call("STATUS", "", blue).code() == 50);
  CHECK(must(scene.node().count_leases("acme")) == 1);
  scene.del("c1", conf);
  CHECK(scene.leftovers().empty());
}

}  // namespace particle::test
