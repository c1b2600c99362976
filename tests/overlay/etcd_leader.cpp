// SPDX-License-Identifier: Apache-2.0
// Three etcd members that elect a leader, which dies; agents that are told to reload; pools that are
// their own VTEP.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>

#include <nlohmann/json.hpp>

#include "netns/pool_scene.hpp"
#include "overlay/etcd_cluster.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

using namespace std::chrono_literals;

/// Members of one etcd on the switch, each with an address of its own.
class Trio {
 public:
  Trio(const NetNs& netns, const std::string& directory) : netns_(netns) {
    std::string cluster;
    for (std::size_t i = 0; i < kMembers; ++i) {
      run_ok({"ip", "addr", "add", address(i) + "/24", "dev", "fabric"}, netns_);
      cluster += (i == 0 ? "" : ",") + name(i) + "=http://" + address(i) + ":2380";
    }
    run_ok({"ip", "link", "set", "lo", "up"}, netns_);
    for (std::size_t i = 0; i < kMembers; ++i) {
      const std::string client = "http://" + address(i) + ":2379";
      const std::string peer = "http://" + address(i) + ":2380";
      members_.push_back(std::make_unique<Command>(
          std::vector<std::string>{
              component("etcd"), "--name=" + name(i), "--data-dir=" + directory + "/" + name(i),
              "--listen-client-urls=" + client, "--advertise-client-urls=" + client,
              "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
              "--initial-cluster=" + cluster, "--heartbeat-interval=50", "--election-timeout=500",
              "--logger=zap", "--log-outputs=" + directory + "/" + name(i) + ".log"},
          &netns_));
    }
    REQUIRE(becomes([this] { return leader().has_value(); }));
  }

  [[nodiscard]] std::string endpoints() const {
    std::string all;
    for (std::size_t i = 0; i < kMembers; ++i)
      all += (i == 0 ? "http://" : ",http://") + address(i) + ":2379";
    return all;
  }
  /// The member that leads, by its own word; nothing during an election.
  [[nodiscard]] std::optional<std::size_t> leader() const {
    for (std::size_t i = 0; i < kMembers; ++i) {
      if (i < members_.size() && !members_[i]) continue;
      const auto status = run_command(
          {component("etcdctl"), "--endpoints=http://" + address(i) + ":2379", "--dial-timeout=1s",
           "--command-timeout=2s", "endpoint", "status", "--write-out=json"},
          &netns_);
      const auto json = nlohmann::json::parse(status.out, nullptr, false);
      if (status.exit_code != 0 || !json.is_array() || json.empty()) continue;
      const auto& body = json[0]["Status"];
      if (body.value("leader", std::uint64_t{0}) != 0 &&
          body.value("leader", std::uint64_t{0}) ==
              body["header"].value("member_id", std::uint64_t{1}))
        return i;
    }
    return std::nullopt;
  }
  void kill(std::size_t member) {
    members_.at(member)->signal(SIGKILL);
    members_.at(member)->finish();
    members_.at(member).reset();
  }

 private:
  static constexpr std::size_t kMembers = 3;
  static std::string name(std::size_t i) { return "m" + std::to_string(i + 1); }
  static std::string address(std::size_t i) { return "192.0.2." + std::to_string(201 + i); }

  const NetNs& netns_;
  std::vector<std::unique_ptr<Command>> members_;
};

}  // namespace

TEST_CASE(
    "etcd: three members lose their leader, then their majority, and nothing that is up goes") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  Trio etcd(cluster.switch_netns(), cluster.directory());
  for (const std::size_t i : {0U, 1U})
    cluster.start_agent(i, {"--etcd-endpoints", etcd.endpoints()});
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b); }));
  const auto first = etcd.leader();
  REQUIRE(first);
  etcd.kill(*first);
  CHECK(remains([&] { return cluster.meet(0, a, 1, b); }, 3s));
  // The others elect another one, and what is new is learnt.
  REQUIRE(becomes([&] { return etcd.leader().has_value(); }));
  const PoolInfo late = cluster.make_pool(1, "late", {"10.1.77.0/24"});
  CHECK(becomes([&] { return cluster.meet(0, a, 1, late); }));
  // One of three is no majority: it serves nobody, and takes nothing away.
  etcd.kill(*etcd.leader());
  CHECK(remains([&] { return cluster.meet(0, a, 1, b) && cluster.meet(0, a, 1, late); },
                std::chrono::seconds(EtcdCluster::kLeaseSeconds + 1)));
}

TEST_CASE("etcd: an agent that is told to reload keeps what is up, and goes on learning") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(2);
  cluster.etcd().start();
  cluster.start_agents();
  const PoolInfo a = cluster.make_pool(0);
  const PoolInfo b = cluster.make_pool(1);
  REQUIRE(becomes([&] { return cluster.meet(0, a, 1, b); }));
  cluster.agent(0).signal(SIGHUP);
  CHECK(cluster.agent(0).wait_for_text("reloading"));
  CHECK(remains([&] { return cluster.meet(0, a, 1, b); }, 2s));
  const PoolInfo late = cluster.make_pool(1, "late", {"10.1.77.0/24"});
  CHECK(becomes([&] { return cluster.meet(0, a, 1, late); }));
}

TEST_CASE("etcd: pools of attachment direct find each other, and those of attachment veth") {
  if (!etcd_can_run()) return;
  EtcdCluster cluster(3);
  cluster.etcd().start();
  cluster.start_agents();
  const auto direct = [&](std::size_t i) {
    const std::string n = std::to_string(i);
    PoolSpec spec = pool_spec("p" + n, "acme", EtcdCluster::kVni, {});
    spec.blocks = {block("10.1." + n + ".0/24"), block("fd00:1:" + n + "::/64")};
    spec.underlay.device = kUnderlayDevice;
    spec.attachment = Attachment::direct;
    return test::make_pool(cluster.node(i), spec);
  };
  const PoolInfo a = direct(0);
  const PoolInfo b = direct(1);
  const PoolInfo c = cluster.make_pool(2);
  CHECK(becomes([&] { return cluster.meet(0, a, 1, b) && cluster.meet(0, a, 2, c); }));
  must(cluster.node(1).delete_pool(b.name));
  CHECK(becomes([&] { return must(cluster.node(0).list_peers("acme")).size() == 1; }));
  CHECK(cluster.meet(0, a, 2, c));
}

}  // namespace particle::test
