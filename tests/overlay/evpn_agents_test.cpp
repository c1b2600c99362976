// SPDX-License-Identifier: Apache-2.0
// Four nodes with FRR and an agent each, one of them a route reflector: what packets do while daemons come
// and go.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "e2e/cli_program.hpp"
#include "netns/pool_scene.hpp"
#include "overlay-adapters/evpn/frr_config.hpp"
#include "overlay/bed.hpp"
#include "overlay/frr_box.hpp"
#include "support/fabric.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kVni = 7951;

/// Node 0 reflects; or each is a neighbour of all others, as in the guide (docs/overlay.md).
enum class Neighbours : std::uint8_t { reflector, mesh };

/// How long anything is waited for before it is given up: a machine that compiles at the same time has
/// little left for eight daemons.
constexpr std::chrono::seconds kLastResort{90};

template <class Condition>
bool soon(Condition condition, std::chrono::milliseconds limit = kLastResort) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(50ms);
  }
  return true;
}

/// A machine: its namespace, FRR, an agent, one pool.
struct Machine {
  std::size_t number;
  std::string grace;
  const NetNs& netns;
  std::string run_dir;
  Node node;
  std::unique_ptr<FrrBox> frr;
  std::unique_ptr<Command> agent;
  std::optional<PoolInfo> pool;
  std::optional<NetNs> pool_netns;
  std::unique_ptr<TokenServer> server;

  Machine(const Fabric& fabric, std::size_t index, const std::string& directory,
          const std::string& grace_seconds, Neighbours neighbours)
      : number(index),
        grace(grace_seconds),
        netns(fabric.nodes.at(index)),
        run_dir(directory),
        node(open_node(netns, directory)) {
    overlay::evpn::FrrConfigSpec spec;
    spec.local = Fabric::underlay_v4(index);
    spec.keepalive = 1;
    if (neighbours == Neighbours::mesh) {
      for (std::size_t i = 0; i < fabric.nodes.size(); ++i)
        if (i != index) spec.peers.push_back(Fabric::underlay_v4(i));
    } else if (index == 0) {
      spec.reflect = net("192.0.2.0/24");
    } else {
      spec.peers = {Fabric::underlay_v4(0)};
    }
    frr = std::make_unique<FrrBox>(netns, directory + "/frr" + std::to_string(index),
                                   overlay::evpn::frr_config(spec));
    start_agent();
  }

  void start_agent() {
    agent = std::make_unique<Command>(
        std::vector<std::string>{particle_program(), "--run-dir", run_dir, "agent", "--overlay",
                                 "evpn", "--evpn-vtysh", frr->vtysh(), "--evpn-vty-sockets",
                                 frr->sockets(), "--evpn-grace", grace, "--node",
                                 "n" + std::to_string(number), "--metrics", metrics()},
        &netns);
    CHECK(agent->wait_for_text("drives node", kLastResort));
  }

  [[nodiscard]] std::string metrics() const {
    return run_dir + "/metrics" + std::to_string(number);
  }
  /// Does the agent take what it knows for all there is, so that it would remove what is missing?
  [[nodiscard]] bool complete() const {
    return run_command({"curl", "--silent", "--max-time", "5", "--unix-socket", metrics(),
                        "http://localhost/metrics"})
               .out.find("particle_overlay_complete 1\n") != std::string::npos;
  }

  void make_pool(const std::string& third) {
    const std::string v4 = "10.1." + third + ".0/24";
    const std::string v6 = "fd00:1:" + third + "::/64";
    PoolSpec spec = pool_spec("p" + third, "acme", kVni, {v4.c_str(), v6.c_str()});
    spec.underlay.device = kUnderlayDevice;
    must(node.create_pool(spec));
    pool = must(node.inspect_pool(spec.name));
    pool_netns = must(node.open_pool_netns(spec.name));
    server = std::make_unique<TokenServer>(*pool_netns, "p" + third);
  }
  void delete_pool() {
    server.reset();
    pool_netns.reset();
    must(node.delete_pool(pool->name));
    pool.reset();
  }
};

bool reach(const Machine& from, const Machine& to, std::chrono::milliseconds limit = 500ms) {
  for (const Family family : kFamilies) {
    const IpAddress address = endpoint(*to.pool, family, 5);
    const auto answer =
        ask(*from.pool_netns, endpoint(*from.pool, family, 9), address, to.server->port(), limit);
    if (!answer) return false;
  }
  return true;
}

struct Fleet {
  TempRunDir directory;
  Fabric fabric;
  std::vector<std::unique_ptr<Machine>> machines;

  /// `grace`: --evpn-grace of every agent.
  explicit Fleet(std::size_t count, const std::string& grace = "2",
                 Neighbours neighbours = Neighbours::reflector)
      : fabric(make_fabric(count)) {
    for (std::size_t i = 0; i < count; ++i) {
      machines.push_back(std::make_unique<Machine>(fabric, i, directory.path(), grace, neighbours));
      machines.back()->make_pool(std::to_string(i));
    }
  }
  Machine& operator[](std::size_t i) { return *machines.at(i); }
  /// What agents said while they started is not waited for again.
  void skip_texts() const {
    for (const auto& machine : machines) machine->agent->skip_text();
  }
  [[nodiscard]] bool all_complete() const {
    return std::all_of(machines.begin(), machines.end(),
                       [](const auto& machine) { return machine->complete(); });
  }
  [[nodiscard]] bool all_reach(std::chrono::milliseconds limit = 500ms) const {
    for (const auto& a : machines) {
      for (const auto& b : machines) {
        if (a != b && a->pool && b->pool && !reach(*a, *b, limit)) return false;
      }
    }
    return true;
  }
};

/// Connects over and over while something is done; how often it failed.
template <class Work>
int failures_while(const Machine& from, const Machine& to, Work work) {
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  std::thread client([&] {
    while (!stop) {
      failures += reach(from, to, 2s) ? 0 : 1;
      std::this_thread::sleep_for(5ms);
    }
  });
  work();
  stop = true;
  client.join();
  return failures;
}

}  // namespace

TEST_CASE(
    "evpn agents: four nodes and a route reflector, daemons restart and nothing that is up goes "
    "down") {
  if (!need_frr()) return;
  // Nobody dies here: nothing may be taken away, however slow the machine makes the daemons.
  Fleet fleet(4, "60");
  REQUIRE(soon([&] { return fleet.all_reach(); }));

  // One entry of each kind for each remote node, and none of them FRR's to take away.
  const NetNs vtep = must(fleet[1].node.open_vtep_netns("acme"));
  std::size_t entries = 0;
  for (const auto& entry :
       as_json({"bridge", "-j", "fdb", "show", "dev", fleet[1].pool->vxlan}, vtep))
    if (entry.contains("dst")) ++entries;
  CHECK(entries == 3);
  CHECK(as_json({"ip", "-j", "-4", "neigh"}, *fleet[1].pool_netns).size() == 3);

  CHECK(failures_while(fleet[1], fleet[2], [&] {
          CHECK(soon([&] { return fleet.all_complete(); }));
          fleet.skip_texts();
          fleet[0].frr->stop_bgpd();
          for (const auto& machine : fleet.machines) {
            if (machine->number == 0) continue;
            CHECK(machine->agent->wait_for_next("BGP neighbour 192.0.2.1 is", kLastResort));
          }
          fleet[0].frr->start_bgpd();
          // They would remove now what has not come back.
          for (const auto& machine : fleet.machines)
            CHECK(machine->agent->wait_for_next("the overlay is well", kLastResort));
          CHECK(soon([&] { return fleet.all_complete(); }));
          fleet[2].frr->restart_zebra();
          fleet[1].agent->signal(SIGKILL);
          (void)fleet[1].agent->finish();
          fleet[1].start_agent();
        }) == 0);
  CHECK(soon([&] { return fleet.all_reach(); }));
}

TEST_CASE("evpn agents: FRR that is stopped and started in good order takes nothing away") {
  if (!need_frr()) return;
  Fleet fleet(2, "60", Neighbours::mesh);
  REQUIRE(soon([&] { return fleet.all_reach(); }));
  const auto peers = [&](std::size_t node) {
    return must(fleet[node].node.list_peers("acme")).size();
  };
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    REQUIRE(soon([&] { return fleet.all_complete(); }));
    fleet.skip_texts();
    fleet[0].frr->stop_in_good_order();
    // Both agents have seen it, and whatever they do about it they have done.
    REQUIRE(fleet[0].agent->wait_for_next("FRR does not answer", kLastResort));
    REQUIRE(fleet[1].agent->wait_for_next("BGP neighbour 192.0.2.1 is", kLastResort));
    CHECK(peers(0) == 1);
    CHECK(peers(1) == 1);
    CHECK(fleet.all_reach(2s));
    fleet[0].frr->start();
    for (const std::size_t node : {0U, 1U})
      REQUIRE(fleet[node].agent->wait_for_next("the overlay is well", kLastResort));
    CHECK(fleet.all_reach(2s));
  }
  for (const std::size_t node : {0U, 1U}) {
    fleet[node].agent->signal(SIGTERM);
    const std::string said = fleet[node].agent->finish().err;
    CHECK_MESSAGE(said.find("removed peer") == std::string::npos, said);
  }
}

TEST_CASE("evpn agents: a pool that moves is found on its new node, and a dead node is withdrawn") {
  if (!need_frr()) return;
  Fleet fleet(4);
  REQUIRE(soon([&] { return fleet.all_reach(); }));
  // The pool of node 3 moves to node 2, which has one of its own already.
  fleet[3].delete_pool();
  fleet[2].delete_pool();
  fleet[2].make_pool("3");
  CHECK(soon([&] { return fleet.all_reach(); }));
  CHECK(soon([&] { return must(fleet[1].node.list_peers("acme")).size() == 2; }));

  // Node 2 dies without a word.
  fleet[2].frr->kill();
  fleet[2].agent->signal(SIGKILL);
  (void)fleet[2].agent->finish();
  fleet.fabric.connect(2, false);
  CHECK(soon([&] { return must(fleet[1].node.list_peers("acme")).size() == 1; }));
  CHECK(soon([&] { return reach(fleet[0], fleet[1], 2s); }));
}

TEST_CASE("evpn agents: a missing neighbour is named, with the reason") {
  if (!need_frr()) return;
  Fleet fleet(2);
  REQUIRE(soon([&] { return fleet.all_reach(); }));
  REQUIRE(soon([&] { return fleet.all_complete(); }));
  fleet.skip_texts();
  fleet[0].frr->stop_bgpd();
  CHECK(fleet[1].agent->wait_for_next("BGP neighbour 192.0.2.1 is", kLastResort));
  fleet[1].frr->kill();
  CHECK(fleet[1].agent->wait_for_next("FRR does not answer", kLastResort));
  CHECK(reach(fleet[0], fleet[1], 2s));
}

}  // namespace particle::test
