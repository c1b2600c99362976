// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "overlay/bed.hpp"
#include "overlay/etcd_server.hpp"

namespace particle::test {

/// Nodes whose adapters meet in one etcd, which is on the underlay's switch.
class EtcdBed : public Bed {
 public:
  /// What a dead node is missed after, and how long all have to come back after an outage.
  static constexpr int kLeaseSeconds = 5;

  explicit EtcdBed(std::size_t nodes)
      : Bed("etcd", nodes), server_(fabric().switch_netns, directory() + "/etcd") {
    server_.start();
  }
  [[nodiscard]] std::map<std::string, std::string> settings(std::size_t /*node*/) override {
    return {{"etcd-endpoints", server_.url()}, {"etcd-lease", std::to_string(kLeaseSeconds)}};
  }
  void lose() override { server_.kill(); }
  void regain() override { server_.start(); }

  EtcdServer& server() { return server_; }
  /// Packets between etcd and this node vanish; those between nodes do not.
  void cut_off(std::size_t node, bool cut) const {
    server_.cut_off(Fabric::underlay_v4(node).to_string(), cut);
  }

 private:
  EtcdServer server_;
};

}  // namespace particle::test
