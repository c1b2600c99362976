// SPDX-License-Identifier: Apache-2.0
// Attach mode veth: a device in the container's own namespace.
#include "plugin_driver.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

Json veth_conf(const CniScene& scene) {
  Json conf = scene.conf();
  conf["isolation"] = "container";
  conf["prefix"] = {"10.1.0.0/24", "fd00:1::/64"};
  return conf;
}

bool has_link(const NetNs& netns, const std::string& name) {
  return run_command({"ip", "link", "show", name}, &netns).exit_code == 0;
}

bool reaches(const NetNs& from, const Json& source, const NetNs& to, const Json& target,
             std::size_t family) {
  const TokenServer server(to, "hello");
  const auto a = must(IpAddress::parse(address_of(source, family)));
  const auto b = must(IpAddress::parse(address_of(target, family)));
  return ask(from, a, b, server.port(), kTrafficLimit).has_value();
}

}  // namespace

TEST_CASE("cni veth: auto picks it for isolation container, and containers reach each other") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = veth_conf(scene);
  Json first = scene.add("c1", conf);
  const Json second = scene.add("c2", conf);
  CHECK(first["ips"][0]["address"] == "10.1.0.2/24");  // .1 is the router
  CHECK(first["ips"][0]["gateway"] == "10.1.0.1");
  CHECK(first["routes"][0]["dst"] == "0.0.0.0/0");
  CHECK(first["interfaces"][0]["mac"] != second["interfaces"][0]["mac"]);
  const NetNs one = must(NetNs::open_path(scene.container("c1")));
  const NetNs two = must(NetNs::open_path(scene.container("c2")));
  const Json shown = Json::parse(run_command({"ip", "-j", "link", "show", "eth0"}, &one).out);
  CHECK(shown[0]["address"] == first["interfaces"][0]["mac"]);
  CHECK(shown[0]["mtu"] == first["interfaces"][0]["mtu"]);
  for (const std::size_t family : {0U, 1U}) {
    CHECK(reaches(one, first, two, second, family));
    CHECK(reaches(two, second, one, first, family));
  }

  Json checked = conf;
  checked["prevResult"] = first;
  CHECK(scene.call("CHECK", "c1", checked).code() == 0);
  CHECK(run_command({"ip", "addr", "del", "10.1.0.2/32", "dev", "eth0"}, &one).exit_code == 0);
  CHECK(scene.call("CHECK", "c1", checked).code() == 105);

  scene.del("c1", conf);
  CHECK_FALSE(has_link(one, "eth0"));
  must(unpin_netns(scene.container("c2")));
  scene.del("c2", conf);
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni veth: any interface name and a MAC of choice, in a namespace known by its process") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = veth_conf(scene);
  conf["attach"] = "veth";
  conf["runtimeConfig"] = {{"mac", "02:00:00:00:00:07"}};
  const NetNs own = must(NetNs::open_path(scene.container("c1")));
  Command sleeper({"sleep", "60"}, &own);
  // The child enters the namespace before it becomes `sleep`.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::string path = "/proc/" + std::to_string(sleeper.pid()) + "/ns/net";
  const Json result = scene.add("c1", conf, {{"CNI_NETNS", path}, {"CNI_IFNAME", "net7"}});
  CHECK(result["interfaces"][0]["name"] == "net7");
  CHECK(result["interfaces"][0]["mac"] == "02:00:00:00:00:07");
  CHECK(has_link(own, "net7"));
  scene.del("c1", conf, {{"CNI_NETNS", path}, {"CNI_IFNAME", "net7"}});
  CHECK_FALSE(has_link(own, "net7"));
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni veth: a second network leaves the container its default route") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json first = veth_conf(scene);
  Json second = veth_conf(scene);
  second["name"] = "db";
  second["tenant"] = "blue";
  second["vni"] = 200;
  second.erase("prefix");
  second["ranges"] = Json::parse(
      R"([{"subnet":"10.2.0.0/16","rangeStart":"10.2.3.1","rangeEnd":"10.2.3.20"},
          {"subnet":"fd00:2::/64","rangeStart":"fd00:2::1","rangeEnd":"fd00:2::14"}])");
  const CniEnvironment net1{{"CNI_IFNAME", "net1"}};
  scene.add("c1", first);
  const Json result = scene.add("c1", second, net1);
  CHECK(result["routes"][0]["dst"] == "10.2.0.0/16");
  const NetNs one = must(NetNs::open_path(scene.container("c1")));
  for (const char* family : {"-4", "-6"}) {
    const std::string routes = run_command({"ip", family, "route"}, &one).out;
    CAPTURE(routes);
    CHECK(routes.find("default via") == routes.rfind("default via"));
    CHECK(routes.find("dev net1") != std::string::npos);
  }
  CHECK(must(scene.node().collect_garbage()).empty());
  scene.del("c1", second, net1);
  CHECK(has_link(one, "eth0"));
  CHECK_FALSE(has_link(one, "net1"));
  scene.del("c1", first);
  CHECK(scene.leftovers() == std::vector<std::string>{});
}

TEST_CASE("cni veth: GC takes the device out of a container that the runtime has forgotten") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = veth_conf(scene);
  scene.add("c1", conf);
  const NetNs one = must(NetNs::open_path(scene.container("c1")));
  conf["cni.dev/valid-attachments"] = Json::array();
  CHECK(scene.call("GC", "", conf).code() == 0);
  CHECK_FALSE(has_link(one, "eth0"));
  CHECK(scene.leftovers().empty());
}

}  // namespace particle::test
