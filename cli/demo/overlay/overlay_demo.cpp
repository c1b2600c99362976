// SPDX-License-Identifier: Apache-2.0
#include "demo/overlay/overlay_demo.hpp"

#include <algorithm>
#include <bit>
#include <thread>

#include <poll.h>

#include "demo/exchange.hpp"
#include "demo/lodging.hpp"
#include "demo/overlay/control_plane.hpp"
#include "demo/sockets.hpp"
#include "harness/fleet.hpp"

namespace particle::cli::demo {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kTenant = "acme";
constexpr std::uint32_t kOverlayVni = 1001;
/// BGP's timers and an election fit into it, on a busy machine, too.
constexpr std::chrono::seconds kConvergence{60};
constexpr milliseconds kPause{2};

/// Node `number`'s part of 10.0.0.0/8; second pools are in another half.
IpPrefix prefix_of(std::size_t number, std::uint64_t endpoints, bool second) {
  const auto host_bits = std::max(8U, static_cast<unsigned>(std::bit_width(endpoints + 1)));
  const IpAddress base = *IpAddress::parse(second ? "10.128.0.0" : "10.0.0.0");
  return IpPrefix::containing(base.plus(std::uint64_t{number} << host_bits).value(),
                              32 - host_bits);
}

Result<Pool> make_pool(const FleetNode& on, std::size_t number, const OverlayOptions& options,
                       bool second, const Watch& watch) {
  PoolSpec spec;
  spec.name = second ? "job" : "pool";
  spec.tenant = kTenant;
  spec.vni = *Vni::from(kOverlayVni);
  const std::uint64_t endpoints = second ? 1 : options.endpoints;
  spec.blocks = {{prefix_of(number, endpoints, second), std::nullopt}};
  spec.count = endpoints;
  spec.mode = options.mode;
  spec.underlay.address = on.underlay;
  ApplyOptions apply;
  apply.stop = watch.stop;
  const auto start = Clock::now();
  auto made = on.node.create_pool(spec, apply);
  if (!made) return fail(std::move(made.error()));
  const auto took = Clock::now() - start;
  auto netns = on.node.open_pool_netns(spec.name);
  if (!netns) return fail(std::move(netns.error()));
  return Pool{.node = number,
              .tenant = 0,
              .info = std::move(made->pool),
              .endpoints = {IpRange::hosts_of(spec.blocks.front().prefix).first_n(endpoints)},
              .netns = *std::move(netns),
              .outcome = std::move(made->outcome),
              .took = took};
}

/// Whether a connection from `from`'s first endpoint to `target` comes about at once.
bool reaches(const Pool& from, const IpAddress& target) {
  bool reached = false;
  (void)from.netns.run([&]() -> Result<void> {
    const IpAddress source = from.endpoints.front().first();
    auto socket = open_connection(&source, target, kPort);
    if (!socket) return {};  // no route yet
    pollfd wait{socket->get(), POLLOUT, 0};
    reached = ::poll(&wait, 1, 20) > 0 && pending_error(*socket) == 0;
    return {};
  });
  return reached;
}

/// Listens on an endpoint until it goes: whoever connects has reached it.
Result<UniqueFd> listen_on(const Pool& pool) {
  UniqueFd listener;
  auto done = pool.netns.run([&]() -> Result<void> {
    auto opened = open_listener(pool.endpoints.front().first(), kPort);
    if (!opened) return fail(std::move(opened.error()));
    listener = *std::move(opened);
    return {};
  });
  if (!done) return fail(std::move(done.error()));
  return listener;
}

struct OverlayScene {
  Fleet& fleet;
  ControlPlane& plane;
  std::vector<Pool> pools;  ///< one per node
  const Watch& watch;

  Result<void> pause(Clock::time_point deadline, const std::string& what) const {
    if (auto ok = watch.check(); !ok) return ok;
    if (auto ok = plane.check(); !ok) return ok;
    if (Clock::now() > deadline) {
      return fail(Error::of(Errc::io, what + " did not happen within " +
                                          std::to_string(kConvergence.count()) + " s"));
    }
    std::this_thread::sleep_for(kPause);
    return {};
  }

  /// Until every other node's first pool has reached `target`'s first endpoint.
  Result<void> wait_until_reached(const Pool& target, Announced& times) const {
    auto listener = listen_on(target);
    if (!listener) return fail(std::move(listener.error()));
    const auto start = Clock::now();
    const IpAddress address = target.endpoints.front().first();
    std::vector<const Pool*> waiting;
    for (const auto& pool : pools) {
      if (pool.node != target.node) waiting.push_back(&pool);
    }
    const std::size_t all = waiting.size();
    while (!waiting.empty()) {
      std::erase_if(waiting, [&](const Pool* from) { return reaches(*from, address); });
      const auto now = Clock::now() - start;
      if (waiting.size() < all && times.first.count() == 0) times.first = now;
      if (waiting.empty()) times.everywhere = now;
      while (accept_connection(*listener).valid()) {
      }
      if (waiting.empty()) break;
      const std::string what = "that " + fleet.nodes[target.node].name + "'s pool is reached by " +
                               fleet.nodes[waiting.front()->node].name;
      if (auto ok = pause(start + kConvergence, what); !ok) return ok;
    }
    return {};
  }

  Result<void> wait_until_forgotten(const Pool& gone, Announced& times) const {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < fleet.nodes.size(); ++i) {
      if (i == gone.node) continue;
      for (;;) {
        auto peers = fleet.nodes[i].node.list_peers(kTenant);
        if (!peers) return fail(std::move(peers.error()));
        const bool known = std::any_of(peers->begin(), peers->end(), [&](const PeerInfo& peer) {
          return peer.peer.prefixes == gone.info.routes;
        });
        if (!known) break;
        const std::string what = "that " + fleet.nodes[i].name + " forgets a deleted pool";
        if (auto ok = pause(start + kConvergence, what); !ok) return ok;
      }
    }
    times.withdrawn = Clock::now() - start;
    return {};
  }
};

Result<void> meet(OverlayScene& scene, OverlayFacts& facts) {
  const auto start = Clock::now();
  for (std::size_t i = 0; i < scene.fleet.nodes.size(); ++i) {
    auto pool = make_pool(scene.fleet.nodes[i], i, facts.options, false, scene.watch);
    if (!pool) return fail(std::move(pool.error()));
    scene.pools.push_back(*std::move(pool));
  }
  for (const auto& pool : scene.pools) {
    scene.watch.tell("waiting until the nodes know each other", pool.node, scene.pools.size());
    Announced unused;
    if (auto done = scene.wait_until_reached(pool, unused); !done) return done;
  }
  facts.met = Clock::now() - start;
  return {};
}

Result<void> announce(const OverlayScene& scene, OverlayFacts& facts) {
  for (std::size_t i = 0; i < scene.fleet.nodes.size(); ++i) {
    const FleetNode& node = scene.fleet.nodes[i];
    scene.watch.tell("announcing new pools", i, scene.fleet.nodes.size());
    auto job = make_pool(node, i, facts.options, true, scene.watch);
    if (!job) return fail(std::move(job.error()));
    Announced times{
        .node = node.name, .create = job->took, .first = {}, .everywhere = {}, .withdrawn = {}};
    if (auto done = scene.wait_until_reached(*job, times); !done) return done;
    if (auto done = node.node.delete_pool("job"); !done) return fail(std::move(done.error()));
    if (auto done = scene.wait_until_forgotten(*job, times); !done) return done;
    facts.announced.push_back(std::move(times));
  }
  return {};
}

/// One caller's node after the other: within a round every endpoint is called once, by one socket.
Result<void> call_everyone(const OverlayScene& scene, OverlayFacts& facts) {
  facts.traffic.id = "all-nodes";
  facts.traffic.what = "every node to every other";
  for (const auto& from : scene.pools) {
    std::vector<Call> calls;
    for (const auto& to : scene.pools) {
      if (from.node == to.node) continue;
      for (std::uint64_t i = 0; i < facts.options.endpoints; ++i) {
        calls.push_back({&from, from.endpoints.front().at(i), &to,
                         to.endpoints.front().at(facts.options.endpoints - 1 - i)});
      }
    }
    if (auto done = exchange(calls, facts.traffic, scene.watch); !done) return done;
  }
  return {};
}

void remove_pools(const Fleet& fleet) {
  for (const auto& node : fleet.nodes) {
    for (const char* pool : {"job", "pool"}) (void)node.node.delete_pool(pool, true);
  }
}

Result<void> prove(Fleet& fleet, ControlPlane& plane, OverlayFacts& facts, const Watch& watch) {
  OverlayScene scene{fleet, plane, {}, watch};
  if (auto done = meet(scene, facts); !done) return done;
  if (auto done = announce(scene, facts); !done) return done;
  return call_everyone(scene, facts);
}

}  // namespace

Result<OverlayFacts> run_overlay(const OverlayOptions& options, const Watch& watch) {
  const auto start = Clock::now();
  OverlayFacts facts;
  facts.options = options;
  if (auto ok = check_programs(options.overlay); !ok) return fail(std::move(ok.error()));
  auto lodging = Lodging::enter(false);
  if (!lodging) return fail(std::move(lodging.error()));
  facts.unprivileged = lodging->unprivileged();
  auto fleet = bench::make_fleet(options.nodes, lodging->run_dir() + "/pools");
  if (!fleet) return fail(std::move(fleet.error()));
  const auto begin = Clock::now();
  auto plane = start_control_plane(options.overlay, *fleet, lodging->run_dir(), watch);
  if (!plane) return fail(std::move(plane.error()));
  facts.control_plane = Clock::now() - begin;
  auto proven = prove(*fleet, *plane, facts, watch);
  // While the control plane is there: its devices go with the tenant's last pool.
  remove_pools(*fleet);
  if (!proven) return fail(std::move(proven.error()));
  facts.total = Clock::now() - start;
  return facts;
}

}  // namespace particle::cli::demo
