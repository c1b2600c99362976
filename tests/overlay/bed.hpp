// SPDX-License-Identifier: Apache-2.0
/// Nodes on one underlay, each with an adapter of the overlay under test: what the contract suite
/// (contract.hpp) needs of an overlay. One class per overlay implements it.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/node.hpp>

#include "overlay-adapters/adapter.hpp"
#include "overlay-adapters/reconcile.hpp"
#include "support/fabric.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {

/// BGP's timers and an etcd election fit into it.
inline constexpr std::chrono::seconds kConvergence{20};

class Bed {
 public:
  Bed(std::string overlay, std::size_t nodes);
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;
  virtual ~Bed() = default;

  // What an overlay says of itself.

  /// Settings of node i's adapter.
  [[nodiscard]] virtual std::map<std::string, std::string> settings(std::size_t node) = 0;
  /// Where adapters do not announce, the bed tells the others: called after announce() and withdraw().
  virtual void announced(std::size_t /*node*/, const overlay::Announcement& /*what*/) {}
  virtual void withdrawn(std::size_t /*node*/, const std::string& /*pool*/) {}
  /// Called before an adapter is asked for its view.
  virtual void before_view() {}
  /// Makes the control plane unreachable, or its source unreadable, and mends it.
  virtual void lose() = 0;
  virtual void regain() = 0;
  /// Can pools be announced that no kernel has?
  [[nodiscard]] virtual bool can_invent() const { return true; }

  // What the suite does with it.

  /// How pools are attached that are made from now on.
  void attach_pools(Attachment attachment) { attachment_ = attachment; }
  [[nodiscard]] Attachment attachment() const { return attachment_; }
  [[nodiscard]] const std::string& overlay() const { return overlay_; }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] static std::string name_of(std::size_t node) {
    return "n" + std::to_string(node + 1);
  }
  [[nodiscard]] const NetNs& netns(std::size_t node) const { return fabric_.nodes.at(node); }
  [[nodiscard]] const Node& node(std::size_t node) const { return members_.at(node).node; }
  [[nodiscard]] const Fabric& fabric() const { return fabric_; }
  [[nodiscard]] const std::string& directory() const { return directory_.path(); }
  /// Made when first asked for.
  overlay::Adapter& adapter(std::size_t node);
  /// As a killed agent: its adapter goes, and the next use makes another, which is told of the node's
  /// pools as an agent does when it starts.
  void restart_adapter(std::size_t node);

  /// Makes a pool, attaches its tenant and announces it. `underlay`: other than the node's first one.
  PoolInfo make_pool(std::size_t node, const std::string& name, const std::string& tenant,
                     std::uint64_t vni, std::initializer_list<const char*> blocks,
                     const std::optional<IpAddress>& underlay = {});
  /// Withdraws and deletes it; detaches its tenant after its last pool.
  void delete_pool(std::size_t node, const std::string& name);
  /// Deletes it while the node's agent is not running, which then starts again.
  void lose_pool(std::size_t node, const std::string& name);
  void announce(std::size_t node, const overlay::Announcement& what);
  void withdraw(std::size_t node, const std::string& pool);
  [[nodiscard]] overlay::Announcement announcement(std::size_t node, const PoolInfo& pool) const {
    return overlay::announcement_of(name_of(node), pool);
  }

  /// Until node i knows exactly these, and that this is all; false when the time is over.
  bool learns(std::size_t node, std::vector<overlay::Announcement> all,
              std::chrono::milliseconds limit = kConvergence);
  /// What node i knew last, for messages.
  [[nodiscard]] std::string last_view(std::size_t node) const { return members_.at(node).last; }
  /// Brings every node's kernel in line with what it knows, over and over, until `condition` holds.
  bool converges(const std::function<bool()>& condition,
                 std::chrono::milliseconds limit = kConvergence);
  /// One reconcile of every node. What went wrong, in words; empty when nothing did.
  std::string reconcile();

  /// Can `from` of a pool on node a open a TCP connection to `to` of a pool on node b, and is it seen
  /// there under its own address?
  [[nodiscard]] bool reaches(std::size_t a, const std::string& pool_a, const IpAddress& from,
                             std::size_t b, const std::string& pool_b, const IpAddress& to,
                             std::chrono::milliseconds limit) const;

 private:
  struct Member {
    Node node;
    std::unique_ptr<overlay::Adapter> adapter;
    std::string last;
  };
  void wait_for_event(std::size_t node);

  std::string overlay_;
  TempRunDir directory_;
  Fabric fabric_;
  std::vector<Member> members_;
  Attachment attachment_ = Attachment::veth;
};

}  // namespace particle::test
