// SPDX-License-Identifier: Apache-2.0
#include "overlay/contract.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "netns/pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

using overlay::Announcement;
using namespace std::chrono_literals;

/// A promise that was not kept: ends the case.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void promise(bool kept, const std::string& what) {
  if (!kept) throw Broken(what);
}

void promise_learns(Bed& bed, std::size_t node, const std::vector<Announcement>& all) {
  if (bed.learns(node, all)) return;
  std::string wanted;
  for (const auto& one : all) wanted += "  " + to_json(one) + "\n";
  throw Broken("node " + Bed::name_of(node) + " does not learn what it should:\n" + wanted +
               "but knows " + bed.last_view(node));
}

constexpr std::uint64_t kVni = 7801;
constexpr auto kFirst = {"10.1.0.0/24", "fd00:1::/64"};
constexpr auto kSecond = {"10.1.1.0/24", "fd00:1:1::/64"};

void describes_itself(Bed& bed) {
  const overlay::Capabilities& capabilities = bed.adapter(0).capabilities();
  promise(capabilities.name == bed.overlay(), "its name is that of the registry");
  promise((bed.adapter(0).event_fd() >= 0) == capabilities.live,
          "it has a descriptor to wait for exactly when changes arrive by themselves");
}

void knows_nobody_at_first(Bed& bed) {
  promise_learns(bed, 0, {});
  promise(bed.adapter(0).health().state == overlay::HealthState::ok, "it is well");
}

void learns_what_is_announced(Bed& bed) {
  const PoolInfo a = bed.make_pool(0, "a", "acme", kVni, kFirst);
  const PoolInfo b = bed.make_pool(1, "b", "acme", kVni, kSecond);
  promise_learns(bed, 0, {bed.announcement(1, b)});
  promise_learns(bed, 1, {bed.announcement(0, a)});
}

void announcing_twice_is_once(Bed& bed) {
  const PoolInfo a = bed.make_pool(0, "a", "acme", kVni, kFirst);
  const PoolInfo b = bed.make_pool(1, "b", "acme", kVni, kSecond);
  bed.announce(1, bed.announcement(1, b));
  bed.announce(1, bed.announcement(1, b));
  promise_learns(bed, 0, {bed.announcement(1, b)});
}

void forgets_what_is_withdrawn(Bed& bed) {
  bed.make_pool(0, "a", "acme", kVni, kFirst);
  const PoolInfo b = bed.make_pool(1, "b", "acme", kVni, kSecond);
  const PoolInfo c = bed.make_pool(1, "c", "acme", kVni, {"10.1.2.0/24", "fd00:1:2::/64"});
  promise_learns(bed, 0, {bed.announcement(1, b), bed.announcement(1, c)});
  bed.delete_pool(1, "b");
  promise_learns(bed, 0, {bed.announcement(1, c)});
  bed.withdraw(1, "b");
  bed.withdraw(1, "never-was");
  bed.delete_pool(1, "c");
  promise_learns(bed, 0, {});
}

void learns_of_a_change(Bed& bed) {
  bed.make_pool(0, "a", "acme", kVni, kFirst);
  const PoolInfo before = bed.make_pool(1, "b", "acme", kVni, kSecond);
  promise_learns(bed, 0, {bed.announcement(1, before)});
  bed.delete_pool(1, "b");
  const PoolInfo after = bed.make_pool(1, "b", "acme", kVni, {"10.1.7.0/25", "fd00:1:7::/64"});
  promise_learns(bed, 0, {bed.announcement(1, after)});
}

void keeps_tenants_apart(Bed& bed) {
  bed.make_pool(0, "red-a", "red", kVni, kFirst);
  bed.make_pool(0, "blue-a", "blue", kVni + 1, kFirst);
  const PoolInfo red = bed.make_pool(1, "red-b", "red", kVni, kSecond);
  const PoolInfo blue = bed.make_pool(1, "blue-b", "blue", kVni + 1, kSecond);
  promise_learns(bed, 0, {bed.announcement(1, red), bed.announcement(1, blue)});
  bed.delete_pool(1, "red-b");
  promise_learns(bed, 0, {bed.announcement(1, blue)});
}

void a_restart_loses_nothing(Bed& bed) {
  const PoolInfo a = bed.make_pool(0, "a", "acme", kVni, kFirst);
  const PoolInfo b = bed.make_pool(1, "b", "acme", kVni, kSecond);
  promise_learns(bed, 0, {bed.announcement(1, b)});
  promise_learns(bed, 1, {bed.announcement(0, a)});
  bed.restart_adapter(0);
  promise_learns(bed, 0, {bed.announcement(1, b)});
  promise_learns(bed, 1, {bed.announcement(0, a)});
}

void a_pool_deleted_meanwhile_is_forgotten(Bed& bed) {
  bed.make_pool(0, "a", "acme", kVni, kFirst);
  const PoolInfo b = bed.make_pool(1, "b", "acme", kVni, kSecond);
  const PoolInfo c = bed.make_pool(1, "c", "acme", kVni, {"10.1.2.0/24", "fd00:1:2::/64"});
  promise_learns(bed, 0, {bed.announcement(1, b), bed.announcement(1, c)});
  bed.lose_pool(1, "b");
  promise_learns(bed, 0, {bed.announcement(1, c)});
}

/// Two pools on two nodes, and their first endpoints reach each other.
struct Pair {
  explicit Pair(Bed& on)
      : bed(on),
        a(on.make_pool(0, "a", "acme", kVni, kFirst)),
        b(on.make_pool(1, "b", "acme", kVni, kSecond)) {}

  [[nodiscard]] bool reach(std::chrono::milliseconds limit = 500ms) const {
    for (const Family family : kFamilies) {
      if (!bed.reaches(0, "a", endpoint(a, family, 3), 1, "b", endpoint(b, family, 7), limit) ||
          !bed.reaches(1, "b", endpoint(b, family, 9), 0, "a", endpoint(a, family, 5), limit))
        return false;
    }
    return true;
  }

  Bed& bed;
  PoolInfo a;
  PoolInfo b;
};

void packets_flow(Bed& bed) {
  const Pair pair(bed);
  promise(!bed.reaches(0, "a", endpoint(pair.a, Family::v4, 3), 1, "b",
                       endpoint(pair.b, Family::v4, 7), kSilence),
          "no packet passes before anything is reconciled");
  promise(bed.converges([&] { return pair.reach(); }), "endpoints of two nodes reach each other");
  promise(bed.reconcile().empty(), "a further reconcile has nothing to complain about");
}

void packets_stop(Bed& bed) {
  const Pair pair(bed);
  promise(bed.converges([&] { return pair.reach(); }), "endpoints of two nodes reach each other");
  // Withdrawn but not deleted: it is still there to answer, if anybody could ask.
  bed.withdraw(1, "b");
  promise(bed.converges([&] {
    return !bed.reaches(0, "a", endpoint(pair.a, Family::v4, 3), 1, "b",
                        endpoint(pair.b, Family::v4, 7), kSilence);
  }),
          "a pool that was withdrawn is no longer reached");
  promise(must(bed.node(0).list_peers("acme")).empty(), "nothing of it is left");
}

void a_moved_pool_is_found(Bed& bed) {
  const PoolInfo a = bed.make_pool(0, "a", "acme", kVni, kFirst);
  PoolInfo b = bed.make_pool(1, "b", "acme", kVni, kSecond);
  const IpAddress from = endpoint(a, Family::v4, 3);
  const IpAddress to = endpoint(b, Family::v4, 7);
  promise(bed.converges([&] { return bed.reaches(0, "a", from, 1, "b", to, 500ms); }),
          "the pool is reached where it was made");
  bed.delete_pool(1, "b");
  b = bed.make_pool(2, "b", "acme", kVni, kSecond);
  promise(bed.converges([&] { return bed.reaches(0, "a", from, 2, "b", to, 500ms); }),
          "the same address is reached on the node that the pool moved to");
  promise(must(bed.node(0).list_peers("acme")).size() == 1, "one peer, not two");
}

void a_changed_node_is_found(Bed& bed) {
  const Pair pair(bed);
  promise(bed.converges([&] { return pair.reach(); }), "endpoints of two nodes reach each other");
  run_ok({"ip", "address", "add", "192.0.2.102/24", "dev", kUnderlayDevice}, bed.netns(1));
  bed.delete_pool(1, "b");
  const PoolInfo b = bed.make_pool(1, "b", "acme", kVni, kSecond, ip("192.0.2.102"));
  promise(b.mac != pair.b.mac && b.vtep != pair.b.vtep, "it has another MAC and another address");
  promise(bed.converges([&] { return pair.reach(); }), "it is reached where it is now");
  const auto peers = must(bed.node(0).list_peers("acme"));
  promise(peers.size() == 1 && peers.front().peer.vtep == b.vtep, "the old one is forgotten");
}

void a_flapping_link_heals(Bed& bed) {
  const Pair pair(bed);
  promise(bed.converges([&] { return pair.reach(); }), "endpoints of two nodes reach each other");
  for (int i = 0; i < 8; ++i) {
    bed.fabric().connect(1, i % 2 != 0);
    (void)bed.reconcile();
    std::this_thread::sleep_for(std::chrono::milliseconds(100 * i));
  }
  promise(bed.converges([&] { return pair.reach(); }), "they do so again once the link is steady");
}

void loss_forgets_nothing(Bed& bed) {
  const Pair pair(bed);
  promise(bed.converges([&] { return pair.reach(); }), "endpoints of two nodes reach each other");
  bed.lose();
  for (int i = 0; i < 20; ++i) {
    (void)bed.reconcile();
    promise(pair.reach(2s), "what was up stays up without the control plane");
    std::this_thread::sleep_for(20ms);
  }
  bed.regain();
  const PoolInfo late = bed.make_pool(2, "late", "acme", kVni, {"10.1.2.0/24", "fd00:1:2::/64"});
  promise(bed.converges([&] {
    return bed.reaches(0, "a", endpoint(pair.a, Family::v4, 3), 2, "late",
                       endpoint(late, Family::v4, 2), 500ms);
  }),
          "what is announced afterwards is learnt");
  promise(pair.reach(), "and what was known is still known");
}

void others_peers_are_left_alone(Bed& bed) {
  const Pair pair(bed);
  const Peer by_hand{
      "acme", ip("192.0.2.77"), must(Mac::parse("02:00:00:00:00:77")), {net("10.1.77.0/24")}};
  must(bed.node(0).add_peer(by_hand));
  promise(bed.converges([&] { return pair.reach(); }), "endpoints of two nodes reach each other");
  bed.delete_pool(1, "b");
  promise_learns(bed, 0, {});
  (void)bed.reconcile();
  const auto left = must(bed.node(0).list_peers("acme"));
  promise(left.size() == 1 && left.front().peer == by_hand && left.front().programmed,
          "a peer that was added by hand is still there, whole");
}

void a_thousand_arrive(Bed& bed) {
  bed.make_pool(0, "a", "acme", kVni, kFirst);
  PoolInfo base = bed.make_pool(1, "b", "acme", kVni, kSecond);
  std::vector<Announcement> all{bed.announcement(1, base)};
  for (unsigned i = 0; i < 1000; ++i) {
    Announcement one = all.front();
    one.pool = "invented-" + std::to_string(i);
    one.peer.mac = Mac::derive(one.pool);
    one.peer.prefixes = {
        IpPrefix::containing(must(ip("10.64.0.0").plus(std::uint64_t{i} * 256)), 24)};
    bed.announce(1, one);
    all.push_back(one);
  }
  promise_learns(bed, 0, all);
  const std::string problems = bed.reconcile();
  promise(problems.empty(), problems);
  promise(must(bed.node(0).list_peers("acme")).size() == all.size(), "all of them are entered");
}

enum class Needs : std::uint8_t {
  nothing,
  invention,  ///< announces pools that no kernel has
  two_pools,  ///< of one tenant on one node
};

struct Case {
  const char* name;
  std::size_t nodes;
  void (*run)(Bed&);
  Needs needs = Needs::nothing;
};

constexpr std::array kCases{
    Case{"describes itself as the registry does", 2, describes_itself},
    Case{"knows nobody at first, and that this is all", 2, knows_nobody_at_first},
    Case{"learns what another node announces, whole", 2, learns_what_is_announced},
    Case{"announcing twice is announcing once", 2, announcing_twice_is_once},
    Case{"forgets what is withdrawn, and only that", 2, forgets_what_is_withdrawn,
         Needs::two_pools},
    Case{"learns when a pool is made anew with other addresses", 2, learns_of_a_change},
    Case{"keeps tenants with the same addresses apart", 2, keeps_tenants_apart},
    Case{"a restart loses nothing, here or elsewhere", 2, a_restart_loses_nothing},
    Case{"forgets a pool that was deleted while its agent was down", 2,
         a_pool_deleted_meanwhile_is_forgotten, Needs::two_pools},
    Case{"packets flow between announced pools", 2, packets_flow},
    Case{"packets stop when a pool is withdrawn", 2, packets_stop},
    Case{"a pool that moved is found where it is now", 3, a_moved_pool_is_found},
    Case{"a node with a new MAC and a new address is found", 2, a_changed_node_is_found},
    Case{"a flapping underlay link heals", 2, a_flapping_link_heals},
    Case{"what was up stays up without the control plane", 3, loss_forgets_nothing},
    Case{"peers that others keep are left alone", 2, others_peers_are_left_alone},
    Case{"a thousand announcements arrive", 2, a_thousand_arrive, Needs::invention},
};

/// Why the case says nothing about this overlay; empty when it does.
std::string why_not(const Case& one, const Bed& bed) {
  if (one.needs == Needs::invention && !bed.can_invent())
    return "does not apply: it announces only pools that the kernel has";
  if (one.needs == Needs::two_pools && bed.attachment() == Attachment::direct)
    return "does not apply: a tenant has one direct pool per node";
  return {};
}

}  // namespace

void run_contract(const MakeBed& make_bed, Attachment attachment) {
  std::string table;
  // For one who mends a single promise: PARTICLE_CONTRACT=withdrawn runs those whose name holds it.
  const char* chosen = std::getenv("PARTICLE_CONTRACT");
  for (const Case& one : kCases) {
    if (chosen != nullptr && std::string(one.name).find(chosen) == std::string::npos) continue;
    const auto begin = std::chrono::steady_clock::now();
    std::string verdict = "kept";
    std::string overlay;
    try {
      const auto bed = make_bed(one.nodes);
      bed->attach_pools(attachment);
      overlay = bed->overlay();
      const std::string excuse = why_not(one, *bed);
      if (excuse.empty()) {
        one.run(*bed);
      } else {
        verdict = excuse;
      }
    } catch (const std::exception& error) {
      verdict = "BROKEN";
      const std::string what = std::string(one.name) + ": " + error.what();
      FAIL_CHECK(what);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::array<char, 160> line{};
    std::snprintf(line.data(), line.size(), "  %-8s %-6s %-58s %7.2f s  %s\n", overlay.c_str(),
                  to_string(attachment).data(), one.name, took.count(), verdict.c_str());
    table += line.data();
  }
  std::printf("%s", table.c_str());
}

}  // namespace particle::test
