// SPDX-License-Identifier: Apache-2.0
#include "demo/pools.hpp"

#include <algorithm>
#include <bit>

namespace particle::cli::demo {
namespace {

using Clock = std::chrono::steady_clock;

/// Node `node`'s part of 10.1.0.0/16: a /24, or larger where the endpoints need it.
AddressBlock v4_block(std::uint64_t endpoints, std::size_t node) {
  const auto bits =
      static_cast<unsigned>(std::bit_width(endpoints + 1));  // 2^bits - 2 >= endpoints
  const auto host_bits = std::max(8U, bits);
  const auto base = IpAddress::parse("10.1.0.0").value();
  const auto network = base.plus(node << host_bits).value();
  return {IpPrefix::containing(network, 32 - host_bits), {}};
}

AddressBlock v6_block(std::size_t node) {
  return {IpPrefix::parse("fd00:10:1:" + std::to_string(node) + "::/64").value(), {}};
}

std::vector<IpRange> endpoints_of(const PoolSpec& spec) {
  std::vector<IpRange> ranges;
  for (const auto& block : spec.blocks) {
    ranges.push_back(IpRange::hosts_of(block.prefix).first_n(spec.count.value()));
  }
  return ranges;
}

PoolSpec named_spec(const Options& options, const DemoNode& on, std::string name,
                    std::size_t tenant) {
  PoolSpec spec;
  spec.name = std::move(name);
  spec.tenant = kTenantList.at(tenant).name;
  spec.vni = Vni::from(kTenantList.at(tenant).vni).value();
  spec.mode = options.mode;
  spec.underlay.address = on.underlay_v4;
  return spec;
}

/// Tells `here` where the other node's pool of the same tenant is.
Result<void> add_peer(const DemoNode& here, const PoolInfo& there) {
  const Peer peer{there.tenant, there.vtep, there.mac, there.routes};
  if (auto done = here.node.add_peer(peer); !done) return fail(std::move(done.error()));
  return {};
}

Result<void> add_peers(const Topology& topology, Facts& facts) {
  const auto start = Clock::now();
  for (const auto& pool : facts.pools) {
    const std::size_t other = 1 - pool.node;
    if (auto done = add_peer(topology.at(other), pool.info); !done) return done;
  }
  facts.peers = Clock::now() - start;
  return {};
}

}  // namespace

PoolSpec pool_spec(const Options& options, const DemoNode& on, std::size_t node,
                   std::size_t tenant) {
  const std::string suffix = node == 0 ? "-a" : "-b";
  PoolSpec spec = named_spec(options, on, kTenantList.at(tenant).name + suffix, tenant);
  if (options.v4) spec.blocks.push_back(v4_block(options.endpoints, node));
  if (options.v6) spec.blocks.push_back(v6_block(node));
  spec.count = options.endpoints;
  return spec;
}

PoolSpec extra_spec(const Options& options, const DemoNode& on) {
  PoolSpec spec = named_spec(options, on, "red-only", 0);
  if (options.v4) spec.blocks.push_back({IpPrefix::parse("10.1.255.0/30").value(), {}});
  if (options.v6) spec.blocks.push_back({IpPrefix::parse("fd00:10:1:ffff::/64").value(), {}});
  spec.count = 1;
  return spec;
}

Result<Pool> make_pool(const DemoNode& on, const PoolSpec& spec, std::size_t node,
                       std::size_t tenant, const Watch& watch) {
  ApplyOptions apply;
  apply.stop = watch.stop;
  apply.step_by_step = true;  // their times are shown
  apply.progress = [&](std::size_t done, std::size_t all) {
    watch.tell("creating pool " + spec.name, done, all);
  };
  const auto start = Clock::now();
  auto made = on.node.create_pool(spec, apply);
  const auto took = Clock::now() - start;
  if (!made) return fail(std::move(made.error()));
  auto netns = on.node.open_pool_netns(spec.name);
  if (!netns) return fail(std::move(netns.error()));
  return Pool{node,
              tenant,
              std::move(made->pool),
              endpoints_of(spec),
              std::move(*netns),
              std::move(made->outcome),
              took};
}

Result<void> make_pools(const Topology& topology, Facts& facts, const Watch& watch) {
  for (std::size_t node = 0; node < kNodes; ++node) {
    for (std::size_t tenant = 0; tenant < kTenants; ++tenant) {
      if (auto go = watch.check(); !go) return go;
      const auto& on = topology.at(node);
      auto pool = make_pool(on, pool_spec(facts.options, on, node, tenant), node, tenant, watch);
      if (!pool) return fail(std::move(pool.error()));
      facts.pools.push_back(std::move(*pool));
    }
  }
  return add_peers(topology, facts);
}

Result<void> delete_pools(const Node& node) {
  auto pools = node.list_pools();
  if (!pools) return fail(std::move(pools.error()));
  for (const auto& pool : *pools) {
    if (auto done = node.delete_pool(pool.name, true); !done) return fail(std::move(done.error()));
  }
  return {};
}

}  // namespace particle::cli::demo
