// SPDX-License-Identifier: Apache-2.0
/// Where a cluster's keys are. Pure.
///
///     /particle/CLUSTER/nodes/NODE           who has this name; under the node's lease
///     /particle/CLUSTER/pools/NODE/POOL      an announcement; under the node's lease
///     /particle/CLUSTER/tenants/TENANT       its VNI
///     /particle/CLUSTER/vnis/VNI             its tenant
///     /particle/CLUSTER/blocks/TENANT/CIDR   which node and pool have these addresses
///     /particle/CLUSTER/fleet-nodes/NODE     where its fleet agent is; under that agent's lease
///
/// The first two and the last go when their node dies. The others stay until they are released: a node
/// that is away for an hour must find its addresses still its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <particle/ip.hpp>
#include <particle/types.hpp>

namespace particle::overlay {

class EtcdKeys {
 public:
  explicit EtcdKeys(const std::string& cluster) : root_("/particle/" + cluster + "/") {}

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string node(const std::string& node) const { return root_ + "nodes/" + node; }
  [[nodiscard]] std::string pool(const std::string& node, const std::string& pool) const {
    return root_ + "pools/" + node + "/" + pool;
  }
  [[nodiscard]] std::string tenant(const std::string& tenant) const {
    return root_ + "tenants/" + tenant;
  }
  [[nodiscard]] std::string vni(Vni vni) const {
    return root_ + "vnis/" + std::to_string(vni.value());
  }
  [[nodiscard]] std::string block(const std::string& tenant, const IpPrefix& prefix) const {
    return root_ + "blocks/" + tenant + "/" + prefix.to_string();
  }

  [[nodiscard]] std::string fleet_node(const std::string& node) const {
    return root_ + "fleet-nodes/" + node;
  }

  /// What kind of key this is, and what follows it, split at its first '/': "pools", "a", "job".
  struct Parts {
    std::string kind;
    std::string first;
    std::string rest;
  };
  /// Nothing for a key that is not below root().
  [[nodiscard]] std::optional<Parts> split(std::string_view key) const;

 private:
  std::string root_;
};

}  // namespace particle::overlay
