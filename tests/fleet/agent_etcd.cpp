// SPDX-License-Identifier: Apache-2.0
// Agents that find each other through a real etcd.
#include "agent_scene.hpp"
#include "overlay/etcd_server.hpp"

using namespace particle;
using namespace particle::test;
using Json = nlohmann::json;
using Names = std::set<std::string>;

namespace {

constexpr auto kLease = 3s;

struct EtcdScene : FleetScene {
  explicit EtcdScene(std::size_t nodes) : FleetScene(nodes), etcd(switch_netns(), file("etcd")) {
    use_directory(options());
  }
  [[nodiscard]] std::vector<std::string> options() const {
    return {"--etcd-endpoints", etcd.url(), "--etcd-lease", std::to_string(kLease.count())};
  }
  /// Whom a node's agent knows, and who of them answers it.
  [[nodiscard]] Names known(std::size_t node, bool alive_only = false) const {
    Names out;
    const CommandResult result = fleet(node, {"nodes", "--json", "--agent", socket(node)});
    for (const Json& one : Json::parse(result.out)) {
      if (!alive_only || one["alive"] == true) out.insert(one["name"]);
    }
    return out;
  }
  [[nodiscard]] bool all_know(const Names& names) const {
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (known(i, true) != names) return false;
    }
    return true;
  }
  void start_all(const Names& names) {
    start_agents();
    REQUIRE(eventually([&] { return all_know(names); }));
  }
  /// SIGTERM, and waits for the end.
  CommandResult stop_agent(std::size_t node) {
    agent(node).signal(SIGTERM);
    CommandResult result = agent(node).finish(20s);
    forget_agent(node);
    return result;
  }
  EtcdServer etcd;
};

}  // namespace

TEST_CASE("fleet etcd: three agents find each other without a list, and jobs run over them all") {
  if (!need_root() || !etcd_can_run()) return;
  EtcdScene scene(3);
  scene.etcd.start();
  scene.start_all({"n1", "n2", "n3"});
  for (const std::size_t i : {0U, 1U, 2U}) {
    const Json result = scene.run(i, {"--count", "6", "--", "true"});
    CHECK(result["by_node"] == Json{{"n1", 2}, {"n2", 2}, {"n3", 2}});
  }
  // One that dies is in the list until its lease ends; jobs go without it from the start.
  scene.kill_agent(2);
  CHECK(scene.known(0) == Names{"n1", "n2", "n3"});
  CHECK(scene.known(0, true) == Names{"n1", "n2"});
  CHECK(scene.run(0, {"--count", "4", "--", "true"})["by_node"] == Json{{"n1", 2}, {"n2", 2}});
  CHECK(eventually([&] { return scene.known(0) == Names{"n1", "n2"}; }, 2 * kLease + 2s));
  CHECK(scene.known(1) == Names{"n1", "n2"});
  // It comes back, and one that stops on purpose leaves at once.
  scene.start_agent(2);
  CHECK(eventually([&] { return scene.all_know({"n1", "n2", "n3"}); }));
  CHECK(scene.stop_agent(1).exit_code == 0);
  CHECK(eventually([&] { return scene.known(0) == Names{"n1", "n3"}; }, 1s));
  CHECK(scene.run(0, {"--count", "4", "--", "true"})["by_node"] == Json{{"n1", 2}, {"n3", 2}});
}

TEST_CASE("fleet etcd: while etcd is killed the last list holds, and it is followed again after") {
  if (!need_root() || !etcd_can_run()) return;
  EtcdScene scene(3);
  scene.etcd.start();
  scene.start_agent(0);
  scene.start_agent(1);
  REQUIRE(eventually([&] { return scene.known(0, true) == Names{"n1", "n2"}; }));
  scene.etcd.kill();
  CHECK(scene.agent(0).wait_for_text("etcd is out of reach"));
  // One that starts meanwhile works alone, and is heard of later.
  scene.start_agent(2);
  CHECK(scene.known(2) == Names{"n3"});
  CHECK(scene.run(2, {"--count", "2", "--", "true"})["by_node"] == Json{{"n3", 2}});
  for (int i = 0; i < 10; ++i) {
    CHECK(scene.known(0, true) == Names{"n1", "n2"});
    ::usleep(400'000);
  }
  CHECK(scene.run(0, {"--count", "2", "--", "true"})["by_node"] == Json{{"n1", 1}, {"n2", 1}});
  scene.etcd.start();
  CHECK(eventually([&] { return scene.all_know({"n1", "n2", "n3"}); }));
  CHECK(scene.run(0, {"--count", "3", "--", "true"})["by_node"].size() == 3);
  // Without what it knew: everybody says it again, and meanwhile nobody is forgotten.
  scene.etcd.kill();
  scene.etcd.forget_everything();
  scene.etcd.start();
  for (int i = 0; i < 10; ++i) {
    CHECK(scene.known(0, true) == Names{"n1", "n2", "n3"});
    ::usleep(400'000);
  }
  CHECK(holds(scene.etcd.ctl({"get", "--prefix", "/particle/default/fleet-nodes/", "--keys-only"}),
              "/particle/default/fleet-nodes/n3"));
}

TEST_CASE("fleet etcd: what was compacted while a node was cut off is learnt all the same") {
  if (!need_root() || !etcd_can_run()) return;
  EtcdScene scene(3);
  scene.etcd.start();
  scene.start_agent(0);
  scene.start_agent(1);
  REQUIRE(eventually([&] { return scene.known(0, true) == Names{"n1", "n2"}; }));
  const std::string address = Fabric::underlay_v4(0).to_string();
  scene.etcd.cut_off(address, true);
  CHECK(scene.stop_agent(1).exit_code == 0);
  scene.start_agent(2);
  CHECK(scene.known(0) == Names{"n1", "n2"});
  scene.etcd.compact();
  scene.etcd.cut_off(address, false);
  CHECK(eventually([&] { return scene.known(0) == Names{"n1", "n3"}; }, 4 * kLease));
  CHECK(eventually([&] { return scene.known(2, true) == Names{"n1", "n3"}; }));
}

TEST_CASE("fleet etcd: the name of a node that lives is refused to another") {
  if (!need_root() || !etcd_can_run()) return;
  EtcdScene scene(2);
  scene.etcd.start();
  scene.start_agent(0);
  std::vector<std::string> words = {"agent",
                                    "--name",
                                    "n1",
                                    "--socket",
                                    scene.socket(1),
                                    "--listen",
                                    FleetScene::address_of(1),
                                    "--secret-file",
                                    scene.file("fleet.secret")};
  for (const std::string& word : scene.options()) words.push_back(word);
  const CommandResult refused = scene.fleet(1, words);
  CAPTURE(refused.err);
  CHECK(refused.exit_code == 4);
  CHECK(holds(refused.err, "node name n1 is registered by the agent at 192.0.2.1:4790"));
  CHECK(holds(refused.err, "--name"));
  CHECK(scene.known(0) == Names{"n1"});
  CHECK(holds(scene.etcd.ctl({"get", "/particle/default/fleet-nodes/n1"}), "192.0.2.1:4790"));
  // The one that has it may be killed and started again before its lease has ended.
  scene.kill_agent(0);
  scene.start_agent(0);
  CHECK(eventually([&] { return scene.known(0) == Names{"n1"}; }));
}

TEST_CASE("fleet etcd: TLS and a user, and options that do not go together") {
  if (!need_root() || !etcd_can_run()) return;
  EtcdScene scene(2);
  const TestCertificates files = make_certificates(scene.file("pki"));
  scene.etcd.use_tls(files);
  scene.etcd.start();
  std::vector<std::string> options = scene.options();
  options.insert(options.end(), {"--etcd-ca", files.authority, "--etcd-cert", files.client,
                                 "--etcd-key", files.client_key, "--etcd-cluster", "prod"});
  scene.use_directory(options);
  scene.start_all({"n1", "n2"});
  CHECK(scene.run(0, {"--count", "2", "--", "true"})["by_node"] == Json{{"n1", 1}, {"n2", 1}});
  CHECK(holds(scene.etcd.ctl({"get", "--prefix", "/particle/", "--keys-only"}),
              "/particle/prod/fleet-nodes/n2"));

  const std::string listen = FleetScene::address_of(0);
  const std::string secret = scene.file("fleet.secret");
  const std::pair<std::vector<std::string>, const char*> wrong[] = {
      {{"--etcd-endpoints", scene.etcd.url(), "--listen", listen, "--secret-file", secret, "--peer",
        "n2=192.0.2.2:4790"},
       "--etcd-endpoints together with --peer or --peers"},
      {{"--etcd-endpoints", scene.etcd.url()}, "--etcd-endpoints without --listen"},
      {{"--etcd-lease", "9", "--listen", listen, "--secret-file", secret},
       "--etcd-lease without --etcd-endpoints"},
      {{"--etcd-endpoints", scene.etcd.url(), "--listen", listen, "--secret-file", secret,
        "--etcd-ca", "/nowhere", "--etcd-lease", "0"},
       "--etcd-lease: \"0\""},
      {{"--etcd-endpoints", scene.etcd.url(), "--listen", listen},
       "--listen without --secret-file"},
  };
  for (const auto& [more, text] : wrong) {
    std::vector<std::string> words = {"agent", "--socket", scene.file("x.sock")};
    words.insert(words.end(), more.begin(), more.end());
    const CommandResult result = scene.fleet(0, words);
    CAPTURE(text);
    CHECK(result.exit_code == 2);
    CHECK(holds(result.err, text));
  }
}
