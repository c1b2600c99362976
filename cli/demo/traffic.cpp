// SPDX-License-Identifier: Apache-2.0
#include "demo/traffic.hpp"

#include "demo/exchange.hpp"

namespace particle::cli::demo {
namespace {

/// The tenants take turns, so that both serve the same address at the same moment.
std::vector<Call> between_nodes(const Facts& facts) {
  std::vector<Call> calls;
  const auto& first = facts.pools.front();
  for (std::size_t family = 0; family < first.endpoints.size(); ++family) {
    for (std::uint64_t i = 0; i < first.endpoints[family].size(); ++i) {
      for (std::size_t tenant = 0; tenant < kTenants; ++tenant) {
        const auto& a = pool_of(facts, 0, tenant);
        const auto& b = pool_of(facts, 1, tenant);
        calls.push_back({&a, a.endpoints[family].at(i), &b, b.endpoints[family].at(i)});
      }
    }
  }
  return calls;
}

std::vector<Call> within_nodes(const Facts& facts) {
  std::vector<Call> calls;
  const auto& first = facts.pools.front();
  for (std::size_t family = 0; family < first.endpoints.size(); ++family) {
    const std::uint64_t size = first.endpoints[family].size();
    for (std::uint64_t i = 0; i < size; ++i) {
      for (const auto& pool : facts.pools) {
        const auto& range = pool.endpoints[family];
        calls.push_back({&pool, range.at(i), &pool, range.at((i + 1) % size)});
      }
    }
  }
  return calls;
}

Result<void> run_one(Facts& facts, Traffic traffic, const std::vector<Call>& calls,
                     const Watch& watch) {
  if (auto go = watch.check(); !go) return go;
  if (auto done = exchange(calls, traffic, watch); !done) return done;
  facts.traffic.push_back(std::move(traffic));
  return {};
}

}  // namespace

const Pool& pool_of(const Facts& facts, std::size_t node, std::size_t tenant) {
  return facts.pools.at(node * kTenants + tenant);
}

Result<void> run_traffic(Facts& facts, const Watch& watch) {
  Traffic between;
  between.id = "between-nodes";
  between.what = "node A to node B";
  if (auto done = run_one(facts, std::move(between), between_nodes(facts), watch); !done) {
    return done;
  }
  Traffic within;
  within.id = "within-nodes";
  within.what = "within each node";
  return run_one(facts, std::move(within), within_nodes(facts), watch);
}

}  // namespace particle::cli::demo
