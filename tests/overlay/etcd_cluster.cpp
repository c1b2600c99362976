// SPDX-License-Identifier: Apache-2.0
#include "overlay/etcd_cluster.hpp"

#include <algorithm>
#include <thread>

#include "netns/pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{50};

}  // namespace

EtcdCluster::EtcdCluster(std::size_t nodes)
    : fabric_(make_fabric(nodes)), etcd_(fabric_.switch_netns, directory_.file("etcd")) {
  for (const NetNs& netns : fabric_.nodes)
    members_.push_back({open_node(netns, directory_.path()), nullptr});
}

std::vector<std::string> EtcdCluster::etcd_options() const {
  return {"--etcd-endpoints", etcd_.url()};
}

void EtcdCluster::start_agent(std::size_t i, const std::vector<std::string>& more,
                              const std::string& name) {
  std::vector<std::string> argv{std::string(PARTICLE_TEST_BIN_DIR) + "/particle-agent",
                                "agent",
                                "--run-dir",
                                directory_.path(),
                                "--overlay",
                                "etcd",
                                "--node",
                                name.empty() ? name_of(i) : name,
                                "--etcd-lease",
                                std::to_string(kLeaseSeconds)};
  const auto options = etcd_options();
  if (std::find(more.begin(), more.end(), options.front()) == more.end())
    argv.insert(argv.end(), options.begin(), options.end());
  argv.insert(argv.end(), more.begin(), more.end());
  members_.at(i).agent = std::make_unique<Command>(argv, &netns(i));
}

void EtcdCluster::start_agents() {
  for (std::size_t i = 0; i < size(); ++i) start_agent(i);
}

PoolInfo EtcdCluster::make_pool(std::size_t i) {
  const std::string number = std::to_string(i);
  const std::string v4 = "10.1." + number + ".0/24";
  const std::string v6 = "fd00:1:" + number + "::/64";
  return make_pool(i, "p" + number, {v4.c_str(), v6.c_str()});
}

PoolInfo EtcdCluster::make_pool(std::size_t i, const std::string& name,
                                std::initializer_list<const char*> blocks,
                                const std::string& tenant, std::uint64_t vni) {
  PoolSpec spec = pool_spec(name, tenant, vni, blocks);
  spec.underlay.device = kUnderlayDevice;
  return test::make_pool(node(i), spec);
}

bool EtcdCluster::reaches(std::size_t a, const PoolInfo& from, std::size_t b, const PoolInfo& to,
                          std::chrono::milliseconds limit) const {
  const NetNs client = must(node(a).open_pool_netns(from.name));
  const NetNs server = must(node(b).open_pool_netns(to.name));
  for (const Family family : kFamilies) {
    const bool both =
        family == Family::v4 ? from.primary_v4 && to.primary_v4 : from.primary_v6 && to.primary_v6;
    if (!both) continue;
    const IpAddress source = endpoint(from, family, 3);
    const IpAddress target = endpoint(to, family, 7);
    const TokenServer token(server, to.name, {target});
    const auto answer = ask(client, source, target, token.port(), limit);
    if (!answer || *answer != to.name + " " + source.to_string()) return false;
  }
  return true;
}

bool becomes(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

bool remains(const std::function<bool()>& condition, std::chrono::milliseconds time) {
  const auto deadline = Clock::now() + time;
  while (Clock::now() < deadline) {
    if (!condition()) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

}  // namespace particle::test
