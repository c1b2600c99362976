// SPDX-License-Identifier: Apache-2.0
#include "demo/isolation.hpp"

#include <functional>
#include <memory>

#include <net/if.h>

#include <particle/route.hpp>

#include "demo/pools.hpp"
#include "demo/probe.hpp"
#include "demo/sockets.hpp"
#include "demo/traffic.hpp"

namespace particle::cli::demo {
namespace {

/// A port that only the proofs use.
constexpr std::uint16_t kProofPort = 7001;
/// For what must answer: two retransmissions of a lost SYN.
constexpr std::chrono::milliseconds kLongPatience{4000};
/// For what must not: longer than any answer takes here, shorter than ARP's three seconds of trying.
constexpr std::chrono::milliseconds kSilence{500};

Attempt attempt(const Pool& from, std::size_t family, const IpAddress& target) {
  return {from.info.name + " -> " + target.to_string(), &from.netns, from.endpoints[family].first(),
          target, kProofPort};
}

Attempt attempt(const DemoNode& from, const IpAddress& target) {
  return {from.name + " -> " + target.to_string(), &from.netns, {}, target, kProofPort};
}

/// A listener at kProofPort, closed with the result.
Result<UniqueFd> serve(const NetNs& netns, const IpAddress& address) {
  UniqueFd listener;
  auto ran = netns.run([&]() -> Result<void> {
    auto opened = open_listener(address, kProofPort);
    if (!opened) return fail(std::move(opened.error()));
    listener = std::move(*opened);
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  return listener;
}

/// Routes that a tenant with root in its pool might add: each target as if it were on the tenant's
/// own link. Removed again when this goes.
class OwnRoutes {
 public:
  explicit OwnRoutes(const Pool& pool) : pool_(pool) {}
  OwnRoutes(const OwnRoutes&) = delete;
  OwnRoutes& operator=(const OwnRoutes&) = delete;
  ~OwnRoutes() { (void)send(Verb::remove); }

  Result<void> add(std::vector<IpAddress> targets) {
    targets_ = std::move(targets);
    return send(Verb::replace);
  }

 private:
  [[nodiscard]] Result<IfIndex> device() const {
    IfIndex index;
    auto ran = pool_.netns.run([&]() -> Result<void> {
      index.value = if_nametoindex(pool_.info.device.c_str());
      return {};
    });
    if (!ran) return fail(std::move(ran.error()));
    return index;
  }

  [[nodiscard]] Result<void> send(Verb verb) const {
    if (targets_.empty()) return {};
    auto index = device();
    if (!index) return fail(std::move(index.error()));
    auto session = pool_.netns.open_session();
    if (!session) return fail(std::move(session.error()));
    std::vector<Message> requests;
    for (const auto& target : targets_) {
      RouteSpec route;
      route.destination = IpPrefix::host(target);
      route.device = *index;
      requests.push_back(encode_route(route, verb));
    }
    return session->apply(requests);
  }

  const Pool& pool_;
  std::vector<IpAddress> targets_;
};

/// Collects attempts with what must come of them, and judges them all at once.
class Proof {
 public:
  void must_connect(Attempt attempt) { connects_.push_back(std::move(attempt)); }
  void must_be_refused(Attempt attempt) { refused_.push_back(std::move(attempt)); }
  void must_be_cut_off(Attempt attempt) { cut_off_.push_back(std::move(attempt)); }

  /// Adds to `check` what is not as it must be.
  Result<void> judge(Check& check) const {
    const auto is = [](Reach wanted) { return [wanted](Reach reach) { return reach == wanted; }; };
    auto done = judge(connects_, is(Reach::connected), kLongPatience, check);
    if (done) done = judge(refused_, is(Reach::refused), kLongPatience, check);
    if (done) done = judge(cut_off_, is_cut_off, kSilence, check);
    check.proven = done && check.problems.empty();
    return done;
  }

 private:
  static Result<void> judge(const std::vector<Attempt>& attempts,
                            const std::function<bool(Reach)>& right,
                            std::chrono::milliseconds patience, Check& check) {
    auto reached = try_to_connect(attempts, patience);
    if (!reached) return fail(std::move(reached.error()));
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      if (right((*reached)[i])) continue;
      check.problems.push_back(attempts[i].what + ": " + to_string((*reached)[i]));
    }
    return {};
  }

  std::vector<Attempt> connects_;
  std::vector<Attempt> refused_;
  std::vector<Attempt> cut_off_;
};

std::string addresses_in_words(const std::vector<IpAddress>& addresses) {
  std::string words;
  for (const auto& address : addresses) {
    if (!words.empty()) words += " and ";
    words += address.to_string();
  }
  return words;
}

/// Only red's server listens: red gets through, blue meets its own endpoint of the same address,
/// which has no server at that port.
Result<Check> prove_same_addresses(const Facts& facts) {
  const Pool& red = pool_of(facts, 1, 0);
  Check check;
  check.id = "same-address-own-server";
  std::vector<UniqueFd> servers;
  Proof proof;
  std::vector<IpAddress> addresses;
  for (std::size_t family = 0; family < red.endpoints.size(); ++family) {
    const IpAddress target = red.endpoints[family].last();
    auto server = serve(red.netns, target);
    if (!server) return fail(std::move(server.error()));
    servers.push_back(std::move(*server));
    addresses.push_back(target);
    for (std::size_t node = 0; node < kNodes; ++node) {
      proof.must_connect(attempt(pool_of(facts, node, 0), family, target));
      proof.must_be_refused(attempt(pool_of(facts, node, 1), family, target));
    }
  }
  check.what = addresses_in_words(addresses) +
               " with a server in red only: red connects, blue is refused by its own endpoint";
  if (auto done = proof.judge(check); !done) return fail(std::move(done.error()));
  return check;
}

/// Red has one more pool on node B. Blue, on the same node, tries with a route of its own.
Result<Check> prove_other_tenant_hidden(const Pool& extra, const Facts& facts) {
  const Pool& red = pool_of(facts, 1, 0);
  const Pool& blue = pool_of(facts, 1, 1);
  Check check;
  check.id = "other-tenant-hidden";
  std::vector<UniqueFd> servers;
  std::vector<IpAddress> addresses;
  Proof without_routes;
  Proof with_routes;
  for (std::size_t family = 0; family < extra.endpoints.size(); ++family) {
    const IpAddress target = extra.endpoints[family].first();
    auto server = serve(extra.netns, target);
    if (!server) return fail(std::move(server.error()));
    servers.push_back(std::move(*server));
    addresses.push_back(target);
    without_routes.must_connect(attempt(red, family, target));
    without_routes.must_be_cut_off(attempt(blue, family, target));
    with_routes.must_be_cut_off(attempt(blue, family, target));
  }
  check.what = addresses_in_words(addresses) +
               ", which only red has: red connects, blue cannot, not even with a route of its own";
  if (auto done = without_routes.judge(check); !done) return fail(std::move(done.error()));
  OwnRoutes routes(blue);
  if (auto done = routes.add(addresses); !done) return fail(std::move(done.error()));
  if (auto done = with_routes.judge(check); !done) return fail(std::move(done.error()));
  return check;
}

/// Families that the pools have, as both nodes' underlay addresses.
std::vector<IpAddress> underlay_addresses(const Topology& topology, const Pool& like) {
  std::vector<IpAddress> addresses;
  for (const auto& range : like.endpoints) {
    for (const auto& node : topology) addresses.push_back(node.underlay(range.family()));
  }
  return addresses;
}

/// The nodes serve on their underlay addresses and reach each other; no pool reaches them.
Result<Check> prove_node_hidden(const Topology& topology, const Facts& facts) {
  Check check;
  check.id = "node-hidden-from-pools";
  check.what =
      "the nodes' own addresses: the nodes connect to each other, no pool can, not even with a "
      "route of its own";
  std::vector<UniqueFd> servers;
  Proof without_routes;
  Proof with_routes;
  const auto& ranges = facts.pools.front().endpoints;
  for (std::size_t family = 0; family < ranges.size(); ++family) {
    for (std::size_t node = 0; node < kNodes; ++node) {
      const IpAddress& target = topology.at(node).underlay(ranges[family].family());
      auto server = serve(topology.at(node).netns, target);
      if (!server) return fail(std::move(server.error()));
      servers.push_back(std::move(*server));
      without_routes.must_connect(attempt(topology.at(1 - node), target));
      for (const auto& pool : facts.pools) {
        without_routes.must_be_cut_off(attempt(pool, family, target));
        with_routes.must_be_cut_off(attempt(pool, family, target));
      }
    }
  }
  if (auto done = without_routes.judge(check); !done) return fail(std::move(done.error()));
  std::vector<std::unique_ptr<OwnRoutes>> routes;
  for (const auto& pool : facts.pools) {
    routes.push_back(std::make_unique<OwnRoutes>(pool));
    auto done = routes.back()->add(underlay_addresses(topology, pool));
    if (!done) return fail(std::move(done.error()));
  }
  if (auto done = with_routes.judge(check); !done) return fail(std::move(done.error()));
  return check;
}

/// Pools serve; neither node reaches them.
Result<Check> prove_pools_hidden(const Topology& topology, const Facts& facts) {
  Check check;
  check.id = "pools-hidden-from-node";
  check.what = "the pools' addresses: each pool connects to its own, neither node can";
  std::vector<UniqueFd> servers;
  Proof proof;
  for (const auto& pool : facts.pools) {
    for (std::size_t family = 0; family < pool.endpoints.size(); ++family) {
      const IpAddress& target = pool.endpoints[family].first();
      auto server = serve(pool.netns, target);
      if (!server) return fail(std::move(server.error()));
      servers.push_back(std::move(*server));
      proof.must_connect(attempt(pool, family, target));
      for (const auto& node : topology) proof.must_be_cut_off(attempt(node, target));
    }
  }
  if (auto done = proof.judge(check); !done) return fail(std::move(done.error()));
  return check;
}

Result<void> keep(Facts& facts, Result<Check> check) {
  if (!check) return fail(std::move(check.error()));
  facts.checks.push_back(std::move(*check));
  return {};
}

Result<void> prove_with_extra_pool(const Topology& topology, Facts& facts, const Watch& watch) {
  const auto& node = topology.at(1);
  auto extra = make_pool(node, extra_spec(facts.options, node), 1, 0, watch);
  if (!extra) return fail(std::move(extra.error()));
  auto proven = keep(facts, prove_other_tenant_hidden(*extra, facts));
  auto deleted = node.node.delete_pool(extra->info.name, true);
  if (proven && !deleted) return fail(std::move(deleted.error()));
  return proven;
}

}  // namespace

Result<void> prove_isolation(const Topology& topology, Facts& facts, const Watch& watch) {
  constexpr std::uint64_t kProofs = 4;
  std::uint64_t done = 0;
  const auto next = [&]() -> Result<void> {
    watch.tell("proving isolation", done++, kProofs);
    return watch.check();
  };
  if (auto go = next(); !go) return go;
  if (auto ok = keep(facts, prove_same_addresses(facts)); !ok) return ok;
  if (auto go = next(); !go) return go;
  if (auto ok = prove_with_extra_pool(topology, facts, watch); !ok) return ok;
  if (auto go = next(); !go) return go;
  if (auto ok = keep(facts, prove_node_hidden(topology, facts)); !ok) return ok;
  if (auto go = next(); !go) return go;
  return keep(facts, prove_pools_hidden(topology, facts));
}

}  // namespace particle::cli::demo
