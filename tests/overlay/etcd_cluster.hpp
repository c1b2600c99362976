// SPDX-License-Identifier: Apache-2.0
/// Nodes whose agents are real processes that meet in a real etcd: for what happens to a cluster.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <particle/node.hpp>

#include "overlay/etcd_server.hpp"
#include "support/fabric.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {

class EtcdCluster {
 public:
  static constexpr int kLeaseSeconds = 5;
  static constexpr std::uint64_t kVni = 7901;

  /// etcd and the agents are the caller's to start.
  explicit EtcdCluster(std::size_t nodes);

  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] EtcdServer& etcd() { return etcd_; }
  [[nodiscard]] const Node& node(std::size_t i) const { return members_.at(i).node; }
  [[nodiscard]] const NetNs& netns(std::size_t i) const { return fabric_.nodes.at(i); }
  [[nodiscard]] const NetNs& switch_netns() const { return fabric_.switch_netns; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }
  [[nodiscard]] static std::string name_of(std::size_t i) { return "n" + std::to_string(i + 1); }

  /// `more` are options of `particle agent`. As `name` when given.
  void start_agent(std::size_t i, const std::vector<std::string>& more = {},
                   const std::string& name = {});
  void start_agents();
  void kill_agent(std::size_t i) { members_.at(i).agent.reset(); }
  [[nodiscard]] Command& agent(std::size_t i) { return *members_.at(i).agent; }
  /// The options with which an agent finds etcd.
  [[nodiscard]] std::vector<std::string> etcd_options() const;

  /// A pool p<i> of tenant acme on node i, with 10.1.<i>.0/24 and fd00:1:<i>::/64.
  PoolInfo make_pool(std::size_t i);
  /// A pool of tenant acme.
  PoolInfo make_pool(std::size_t i, const std::string& name,
                     std::initializer_list<const char*> blocks, const std::string& tenant = "acme",
                     std::uint64_t vni = kVni);

  /// Can an endpoint of one pool open TCP connections to an endpoint of the other, in each family
  /// that both have, and is it seen there under its own address?
  [[nodiscard]] bool reaches(
      std::size_t a, const PoolInfo& from, std::size_t b, const PoolInfo& to,
      std::chrono::milliseconds limit = std::chrono::milliseconds(500)) const;
  /// The same both ways.
  [[nodiscard]] bool meet(std::size_t a, const PoolInfo& one, std::size_t b,
                          const PoolInfo& other) const {
    return reaches(a, one, b, other) && reaches(b, other, a, one);
  }
  /// Packets between etcd and node i vanish; those between nodes do not.
  void cut_off(std::size_t i, bool cut) const {
    etcd_.cut_off(Fabric::underlay_v4(i).to_string(), cut);
  }

 private:
  struct Member {
    Node node;
    std::unique_ptr<Command> agent;
  };
  TempRunDir directory_;
  Fabric fabric_;
  EtcdServer etcd_;
  std::vector<Member> members_;
};

/// Asks until it is so; false when the time is over.
bool becomes(const std::function<bool()>& condition,
             std::chrono::milliseconds limit = std::chrono::seconds(20));

/// Asks for that long whether it is so, and stops when it is not.
bool remains(const std::function<bool()>& condition, std::chrono::milliseconds time);

}  // namespace particle::test
