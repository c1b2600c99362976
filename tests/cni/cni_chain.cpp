// SPDX-License-Identifier: Apache-2.0
// particle-cni before the reference plugins, as a conflist chains them.
#include <filesystem>
#include <ranges>

#include "plugin_driver.hpp"

namespace particle::test {
namespace {

struct Link {
  std::string program;
  Json conf;
};

/// Runs the chain as libcni does: each ADD gets the last one's result, DEL goes backwards.
class Chain {
 public:
  Chain(CniScene& scene, std::vector<Link> links) : scene_(scene), links_(std::move(links)) {}

  Json add(const std::string& id) {
    Json result;
    for (const auto& link : links_) {
      const CniAnswer answer = call("ADD", id, link, result);
      CAPTURE(link.program);
      CAPTURE(answer.out);
      CAPTURE(answer.err);
      REQUIRE(answer.exit_code == 0);
      result = answer.json();
    }
    return result;
  }
  void del(const std::string& id, const Json& result) {
    for (const auto& link : std::ranges::reverse_view(links_)) must_do("DEL", id, link, result);
  }
  void check(const std::string& id, const Json& result) {
    for (const auto& link : links_) {
      // It looks for the veth's near end in the node's own namespace, even without a rate.
      if (!link.program.ends_with("/bandwidth")) must_do("CHECK", id, link, result);
    }
  }

 private:
  void must_do(const std::string& verb, const std::string& id, const Link& link,
               const Json& result) {
    const CniAnswer answer = call(verb, id, link, result);
    CAPTURE(verb);
    CAPTURE(link.program);
    CAPTURE(answer.out);
    CAPTURE(answer.err);
    CHECK(answer.exit_code == 0);
  }
  CniAnswer call(const std::string& verb, const std::string& id, const Link& link,
                 const Json& previous) {
    Json conf = link.conf;
    if (!previous.is_null()) conf["prevResult"] = previous;
    auto environment = scene_.environment(verb, id);
    environment["CNI_PATH"] = std::filesystem::path(link.program).parent_path().string();
    environment["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
    return scene_.call_program(link.program, environment, conf.dump());
  }

  CniScene& scene_;
  std::vector<Link> links_;
};

}  // namespace

TEST_CASE("cni chain: tuning, portmap and bandwidth run behind a veth of ours") {
  if (!need_namespaces()) return;
  const std::string reference = reference_plugins();
  if (reference.empty()) return;
  CniScene scene;
  Json conf = scene.conf("1.0.0");
  conf["attach"] = "veth";
  const Json common{{"cniVersion", "1.0.0"}, {"name", "web"}};
  Json tuning = common;
  tuning.update({{"type", "tuning"},
                 {"mtu", 1300},
                 {"dataDir", scene.file("tuning")},
                 {"sysctl", {{"net.ipv4.conf.eth0.arp_notify", "1"}}}});
  Json portmap = common;
  portmap.update({{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}});
  Json bandwidth = common;
  bandwidth.update({{"type", "bandwidth"}});
  Chain chain(scene, {{cni_program(), conf},
                      {reference + "/tuning", tuning},
                      {reference + "/portmap", portmap},
                      {reference + "/bandwidth", bandwidth}});
  scene.container("c1");
  const Json result = chain.add("c1");
  CHECK(address_of(result) == "10.1.0.2");
  const NetNs one = must(NetNs::open_path(scene.container("c1")));
  const Json link = Json::parse(run_command({"ip", "-j", "link", "show", "eth0"}, &one).out);
  CHECK(link[0]["mtu"] == 1300);
  chain.check("c1", result);
  chain.del("c1", result);
  CHECK(scene.leftovers() == std::vector<std::string>{});
}

TEST_CASE("cni chain: the loopback plugin beside attach runtime never touches the pool") {
  if (!need_namespaces()) return;
  const std::string reference = reference_plugins();
  if (reference.empty()) return;
  CniScene scene;
  const Json conf = scene.conf("1.0.0");
  const Json loopback{{"cniVersion", "1.0.0"}, {"name", "lo"}, {"type", "loopback"}};
  scene.add("c1", conf);
  scene.add("c2", conf);
  auto environment = scene.environment("ADD", "c1", {{"CNI_IFNAME", "lo"}});
  CHECK(scene.call_program(reference + "/loopback", environment, loopback.dump()).exit_code == 0);
  environment["CNI_COMMAND"] = "DEL";
  CHECK(scene.call_program(reference + "/loopback", environment, loopback.dump()).exit_code == 0);
  scene.del("c1", conf);
  CHECK(must(scene.node().inspect_pool("acme")).health == PoolHealth::ready);
  scene.del("c2", conf);
}

}  // namespace particle::test
