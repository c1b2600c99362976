// SPDX-License-Identifier: Apache-2.0
/// Nodes with pools of one tenant that know each other, and containers connected the ordinary way to the
/// same VTEPs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <particle/node.hpp>

#include "harness/fleet.hpp"
#include "harness/stats.hpp"

namespace particle::bench {

/// From an address in one namespace to an address in another.
struct Path {
  const NetNs* client = nullptr;
  IpAddress source;
  const NetNs* server = nullptr;
  IpAddress target;
};

/// A namespace with a veth of its own on the tenant's bridge.
struct Container {
  NetNs netns;
  IpAddress address;
  Mac mac;
};

class OverlayBed {
 public:
  static Result<OverlayBed> make(std::size_t nodes);
  OverlayBed(OverlayBed&& other) noexcept = default;
  OverlayBed& operator=(OverlayBed&&) = delete;
  /// Deletes every pool and the run directory.
  ~OverlayBed();

  [[nodiscard]] std::size_t size() const { return fleet_.nodes.size(); }
  Result<void> make_pool(std::size_t i, std::uint64_t endpoints, Attachment attachment);
  Result<void> remove_pool(std::size_t i);
  /// Tells node i of all others.
  Result<void> introduce(std::size_t i);
  /// A pool on every node, and everybody knows everybody.
  Result<void> make_all(std::uint64_t endpoints, Attachment attachment);
  /// A second pool of the tenant on each node, so that its VTEP stays when the first one goes.
  Result<void> keep_vteps();
  /// Opens `count` TCP connections, each from an endpoint of its own, and waits until all are.
  Result<void> connect_all(std::size_t from, std::size_t to, std::uint64_t count);
  /// FDB entries, permanent neighbours and routes of the pool's and the VTEP's namespaces.
  Result<std::size_t> count_entries(std::size_t i);
  /// Two containers on node 0, one on node 1.
  Result<void> add_containers();

  [[nodiscard]] Path pool_path() const;       ///< from node 0's pool to node 1's
  [[nodiscard]] Path local_path() const;      ///< within node 0's pool
  [[nodiscard]] Path container_path() const;  ///< from node 0 to node 1
  [[nodiscard]] Path bridge_path() const;     ///< from one container of node 0 to the other

 private:
  OverlayBed(Fleet fleet, std::string run_dir)
      : fleet_(std::move(fleet)), run_dir_(std::move(run_dir)), pools_(fleet_.nodes.size()) {}
  Result<void> add_container(std::size_t node, unsigned number);

  struct PoolOnNode {
    PoolInfo info;
    std::unique_ptr<NetNs> netns;
  };
  Fleet fleet_;
  std::string run_dir_;
  std::vector<PoolOnNode> pools_;
  std::vector<std::unique_ptr<Container>> containers_;
};

/// iperf3(1), in Gbit/s as received. Errors: not_found without it.
Result<double> iperf(const Path& path, bool udp, unsigned flows);
/// The median round trip of UDP datagrams of 64 bytes, in microseconds.
Result<double> round_trip(const Path& path);

}  // namespace particle::bench
