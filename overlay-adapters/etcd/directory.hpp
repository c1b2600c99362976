// SPDX-License-Identifier: Apache-2.0
/// What the cluster's keys say, and what of it holds. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <particle/ip.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

#include "overlay-adapters/announcement.hpp"
#include "overlay-adapters/etcd/client.hpp"
#include "overlay-adapters/etcd/keys.hpp"

namespace particle::overlay {

/// Who registered a node's name.
struct NodeEntry {
  std::string node_id;
  std::int64_t modified = 0;
  std::int64_t lease = 0;
};

/// Addresses that were allocated.
struct BlockEntry {
  IpPrefix prefix;
  std::string node;
  std::string pool;
};

class Directory {
 public:
  explicit Directory(EtcdKeys keys) : keys_(std::move(keys)) {}

  void put(const KeyValue& entry);
  void erase(const std::string& key);

  /// As (node, pool).
  using PoolKey = std::pair<std::string, std::string>;
  struct PoolEntry {
    std::int64_t created = 0;
    std::int64_t modified = 0;
    std::int64_t lease = 0;
    std::string text;
    Result<Announcement> announcement;
  };

  [[nodiscard]] const NodeEntry* find_node(const std::string& name) const;
  [[nodiscard]] const std::map<PoolKey, PoolEntry>& pools() const { return pools_; }
  [[nodiscard]] const std::map<std::string, Vni>& tenants() const { return tenants_; }
  [[nodiscard]] const std::map<Vni, std::string>& vnis() const { return vnis_; }
  /// By first address: they are disjoint. Empty for a tenant without any.
  [[nodiscard]] std::map<IpAddress, BlockEntry> blocks(const std::string& tenant) const;

  struct Verdict {
    /// Those of other nodes that hold, the oldest first.
    std::vector<Announcement> announcements;
    /// What does not, and why; what others will not accept of this node.
    std::vector<std::string> problems;
  };
  /// `node` is this node. `mine`: the pools under its name are its own, not those of another machine
  /// that has registered the same name.
  [[nodiscard]] Verdict judge(const std::string& node, bool mine) const;

 private:
  void put_block(const std::string& tenant, const KeyValue& entry, const std::string& prefix);
  void put_number(const KeyValue& entry, const EtcdKeys::Parts& parts);

  EtcdKeys keys_;
  std::map<std::string, NodeEntry> nodes_;
  std::map<PoolKey, PoolEntry> pools_;
  std::map<std::string, Vni> tenants_;
  std::map<Vni, std::string> vnis_;
  std::map<std::string, std::map<IpAddress, BlockEntry>> blocks_;
};

/// The values of keys, as JSON.
std::string node_value(const std::string& node_id);
std::string tenant_value(Vni vni);
std::string vni_value(const std::string& tenant);
std::string block_value(const std::string& node, const std::string& pool);

}  // namespace particle::overlay
