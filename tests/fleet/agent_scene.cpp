// SPDX-License-Identifier: Apache-2.0
#include "agent_scene.hpp"

#include <fstream>

#include <unistd.h>

#include "netns/pool_scene.hpp"

namespace particle::test {
namespace {

constexpr const char* kPort = "4790";

/// Every node learns of every other's pool.
void connect_pools(const std::vector<Node>& nodes, const std::vector<PoolInfo>& pools) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      if (i == j) continue;
      Peer peer;
      peer.tenant = pools[j].tenant;
      peer.vtep = pools[j].vtep;
      peer.mac = pools[j].mac;
      peer.prefixes = pools[j].routes;
      must(nodes[i].add_peer(peer));
    }
  }
}

}  // namespace

bool holds(const std::string& text, const std::string& part) {
  const bool found = text.find(part) != std::string::npos;
  if (!found) MESSAGE(text);
  return found;
}

std::string make_secret(const std::string& path, char first) {
  std::ofstream(path) << first << "1f6a9c03e8b7d254" << "0f1e2d3c4b5a69788796a5b4c3d2e1f001234567"
                      << "89abcde\n";
  std::filesystem::permissions(path, std::filesystem::perms::owner_read);
  return path;
}

FleetScene::FleetScene(std::size_t nodes, std::uint64_t endpoints)
    : fabric_(make_fabric(nodes)), agents_(nodes) {
  secure_all({"--secret-file", make_secret(file("fleet.secret"), 'a')});
  std::vector<PoolInfo> pools;
  for (std::size_t i = 0; i < nodes; ++i) {
    nodes_.push_back(open_node(fabric_.nodes[i], dir_.path()));
    const std::string prefix = "10.50." + std::to_string(16 * (i + 1)) + ".0/20";
    PoolSpec spec = pool_spec("job", "acme", 41, {prefix.c_str()});
    spec.count = endpoints;
    spec.mode = AddressMode::anyip;
    spec.cooldown = 10ms;
    pools.push_back(must(nodes_.back().create_pool(spec)).pool);
  }
  connect_pools(nodes_, pools);
}

FleetScene::~FleetScene() {
  for (auto& agent : agents_) {
    if (agent) agent->signal(SIGTERM);
  }
  for (auto& agent : agents_) {
    if (agent) CHECK(agent->finish(20s).exit_code == 0);
  }
  CHECK(leased() == 0);
  CHECK(!std::filesystem::exists(dir_.path() + "/fleet"));
  for (const Node& node : nodes_) must(node.delete_pool("job", true));
}

std::uint64_t FleetScene::leased() const {
  std::uint64_t count = 0;
  for (const Node& node : nodes_) count += must(node.leases()).size();
  return count;
}

std::string FleetScene::address_of(std::size_t node) {
  return Fabric::underlay_v4(node).to_string() + ":" + kPort;
}

std::string FleetScene::socket(std::size_t node) const {
  return dir_.file(name_of(node) + ".sock");
}

std::vector<std::string> FleetScene::command(const std::vector<std::string>& words) const {
  std::vector<std::string> all = {std::string(PARTICLE_TEST_BIN_DIR) + "/particle", "fleet"};
  all.insert(all.end(), words.begin(), words.end());
  all.insert(all.begin() + 1, {"--run-dir", dir_.path()});
  return all;
}

Command& FleetScene::start_agent(std::size_t node) {
  std::vector<std::string> words = {"agent",      "--name",   name_of(node),   "--socket",
                                    socket(node), "--listen", address_of(node)};
  words.insert(words.end(), security_[node].begin(), security_[node].end());
  words.insert(words.end(), directory_.begin(), directory_.end());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i == node || !directory_.empty()) continue;
    words.insert(words.end(), {"--peer", name_of(i) + "=" + address_of(i)});
  }
  agents_[node] = std::make_unique<Command>(command(words), &netns(node));
  REQUIRE(agents_[node]->wait_for_text("listens at"));
  return *agents_[node];
}

void FleetScene::secure_all(const std::vector<std::string>& options) {
  security_.assign(agents_.size(), options);
}

void FleetScene::start_agents() {
  for (std::size_t i = 0; i < nodes_.size(); ++i) start_agent(i);
}

void FleetScene::kill_agent(std::size_t node) {
  agents_[node]->signal(SIGKILL);
  agents_[node]->finish();
  agents_[node].reset();
}

std::vector<std::string> FleetScene::run_arguments(const std::vector<std::string>& more) const {
  std::vector<std::string> words = {"run", "--pool", "job", "--image", image_.path()};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

CommandResult FleetScene::fleet(std::size_t node, const std::vector<std::string>& words) const {
  return run_command(command(words), &netns(node));
}

nlohmann::json FleetScene::run(std::size_t node, const std::vector<std::string>& more) const {
  std::vector<std::string> words = run_arguments({"--json"});
  if (agents_[node]) words.insert(words.end(), {"--agent", socket(node)});
  words.insert(words.end(), more.begin(), more.end());
  const CommandResult result = fleet(node, words);
  auto json = nlohmann::json::parse(result.out, nullptr, false);
  CAPTURE(result.out);
  CAPTURE(result.err);
  REQUIRE_FALSE(json.is_discarded());
  json["exit_code"] = result.exit_code;
  return json;
}

}  // namespace particle::test
