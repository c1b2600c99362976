// SPDX-License-Identifier: Apache-2.0
// Many at once: processes and threads that create, delete, lease and release; and processes that are
// killed at any moment.
#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "pool_crash_support.hpp"

namespace particle::test {
namespace {

/// Runs `work(i)` in a process each, all at once. What each of them said; empty: all is well.
std::vector<std::string> in_processes(std::size_t count,
                                      const std::function<std::string(std::size_t)>& work) {
  std::vector<std::unique_ptr<SharedNote>> notes;
  std::vector<pid_t> pids;
  for (std::size_t i = 0; i < count; ++i) {
    notes.push_back(std::make_unique<SharedNote>());
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      try {
        notes[i]->write(work(i));
      } catch (const std::exception& e) {
        notes[i]->write(std::string("exception: ") + e.what());
      }
      _exit(0);
    }
    pids.push_back(pid);
  }
  std::vector<std::string> said;
  for (std::size_t i = 0; i < count; ++i) {
    int status = 0;
    while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR) {
    }
    said.emplace_back((*notes[i])->text);
    if (!WIFEXITED(status)) said.back() += " (killed)";
  }
  return said;
}

PoolSpec small(std::uint64_t vni, const std::string& name, const std::string& tenant) {
  PoolSpec spec = pool_spec(name, tenant, vni, {"10.1.0.0/28", "fd00:1::/120"});
  spec.count = 8;
  spec.cooldown = 0ms;
  return spec;
}

/// Errors that an operation may meet because others are at work on the same pool.
bool is_expected(const Error& error) {
  return error.kind() == Errc::not_found || error.kind() == Errc::busy ||
         error.kind() == Errc::exhausted;
}

/// One random operation on pool `pool` of tenant acme. Empty: done, or refused for a good reason.
std::string one_operation(const Node& node, const PoolSpec& spec, std::mt19937& random,
                          const std::string& holder) {
  const auto judge = [](const auto& result) -> std::string {
    if (result || is_expected(result.error())) return {};
    return result.error().message() + " " + said(result.error().details);
  };
  switch (random() % 6) {
    case 0:
      return judge(node.create_pool(spec));
    case 1:
      return judge(node.delete_pool(spec.name, random() % 2 == 0));
    case 2:
      return judge(node.release(spec.name, holder));
    case 3: {
      ResizeSpec wish;
      wish.count = 2 + random() % 7;
      return judge(node.resize_pool(spec.name, wish));
    }
    default:
      break;
  }
  auto leased = node.lease({.pool = spec.name,
                            .holder = holder,
                            .count = 1 + random() % 3,
                            .address = {},
                            .process = {},
                            .wait = 0ms});
  return judge(leased);
}

/// No endpoint is leased twice, every pool is whole, nothing is left of what is gone.
void check_invariants(const World& world) {
  std::set<std::pair<std::string, std::string>> leased;
  for (const auto& lease : must(world.node.leases())) {
    CHECK(leased.insert({lease.pool, lease.endpoint.to_string()}).second);
  }
  for (const auto& pool : must(world.node.list_pools())) {
    const PoolInfo info = must(world.node.inspect_pool(pool.name));
    CHECK(info.health == PoolHealth::ready);
    CHECK(said(info.problems) == "");
  }
}

}  // namespace

TEST_CASE("concurrent: 8 processes create 40 pools of different tenants, and delete them") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  constexpr std::size_t kProcesses = 8;
  constexpr std::size_t kEach = 5;
  const auto name = [](std::size_t process, std::size_t n) {
    return "p" + std::to_string(process) + "-" + std::to_string(n);
  };
  const auto created = in_processes(kProcesses, [&](std::size_t process) {
    for (std::size_t n = 0; n < kEach; ++n) {
      const auto vni = world.vni + 10000 + process * kEach + n;
      auto made = world.node.create_pool(small(vni, name(process, n), "t-" + name(process, n)));
      if (!made) return made.error().message();
      if (!made->outcome.changed) return std::string("it was there already");
    }
    return std::string();
  });
  for (const auto& text : created) CHECK(text == "");
  CHECK(must(world.node.list_pools()).size() == kProcesses * kEach);
  check_invariants(world);
  const auto deleted = in_processes(kProcesses, [&](std::size_t process) {
    for (std::size_t n = 0; n < kEach; ++n) {
      auto gone = world.node.delete_pool(name(process, n));
      if (!gone) return gone.error().message();
    }
    return std::string();
  });
  for (const auto& text : deleted) CHECK(text == "");
  world.check_nothing_left();
}

TEST_CASE("concurrent: of 8 processes that create the same pool one does, and all succeed") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (int round = 0; round < 5; ++round) {
    const World world(nodes.a);
    const auto ends = in_processes(8, [&](std::size_t) {
      auto made = world.node.create_pool(small(world.vni, "pool", "acme"));
      if (!made) return made.error().message();
      return std::string(made->outcome.changed ? "made" : "there");
    });
    CHECK(std::count(ends.begin(), ends.end(), "made") == 1);
    CHECK(std::count(ends.begin(), ends.end(), "there") == 7);
    check_invariants(world);
    const NetNs vtep = must(world.node.open_vtep_netns("acme"));
    CHECK(as_json({"ip", "-j", "link", "show", "type", "veth"}, vtep).size() == 1);
    world.node.delete_pool("pool").value();
    CHECK(list_files(world.dir.path(), false) == "");
  }
}

TEST_CASE(
    "concurrent: of 8 processes that give a pool different sizes one wins, the rest are refused") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  const auto ends = in_processes(8, [&](std::size_t process) {
    PoolSpec spec = small(world.vni, "pool", "acme");
    spec.count = process + 1;
    auto made = world.node.create_pool(spec);
    if (made) return std::string("made");
    return std::string(made.error().kind() == Errc::conflict ? "conflict" : made.error().message());
  });
  CHECK(std::count(ends.begin(), ends.end(), "made") == 1);
  CHECK(std::count(ends.begin(), ends.end(), "conflict") == 7);
  check_invariants(world);
  world.check_clean_after_delete_all();
}

TEST_CASE("concurrent: of 8 tenants that want the same VNI one gets it") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  const auto ends = in_processes(8, [&](std::size_t process) {
    const std::string name = "p" + std::to_string(process);
    auto made = world.node.create_pool(small(world.vni, name, "t-" + name));
    if (made) return std::string("made");
    return std::string(made.error().kind() == Errc::conflict ? "conflict" : made.error().message());
  });
  CHECK(std::count(ends.begin(), ends.end(), "made") == 1);
  CHECK(std::count(ends.begin(), ends.end(), "conflict") == 7);
  CHECK(words(must(world.node.collect_garbage())) == "");
  check_invariants(world);
  world.check_clean_after_delete_all();
}

TEST_CASE("concurrent: a storm of creates, deletes, resizes, leases and gc leaves no orphan") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  for (const auto isolation : {Isolation::tenant, Isolation::container}) {
    const World world(nodes.a);
    PoolSpec spec = small(world.vni, "pool", "acme");
    spec.isolation = isolation;
    const auto until = std::chrono::steady_clock::now() + 2500ms;
    const auto ends = in_processes(6, [&](std::size_t process) {
      std::mt19937 random(static_cast<unsigned>(process));
      while (std::chrono::steady_clock::now() < until) {
        if (process == 0 && random() % 4 == 0) (void)world.node.collect_garbage();
        auto wrong = one_operation(world.node, spec, random, "c" + std::to_string(process));
        if (wrong.find("exists with another spec") != std::string::npos) continue;
        if (!wrong.empty()) return wrong;
      }
      return std::string();
    });
    for (const auto& text : ends) CHECK(text == "");
    check_invariants(world);
    const std::string found = words(must(world.node.collect_garbage()));
    CHECK(found == "");
    world.check_clean_after_delete_all();
  }
}

TEST_CASE("concurrent: one node is shared by 8 threads") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const std::string own = "own" + std::to_string(t);
      const auto vni = world.vni + 20000 + t;
      for (int round = 0; round < 3; ++round) {
        const bool ok = world.node.create_pool(small(world.vni, "shared", "acme")).has_value() &&
                        world.node.create_pool(small(vni, own, "t-" + own)).has_value() &&
                        world.node
                            .lease({.pool = own,
                                    .holder = "c",
                                    .count = 2,
                                    .address = {},
                                    .process = {},
                                    .wait = 0ms})
                            .has_value() &&
                        world.node
                            .lease({.pool = "shared",
                                    .holder = own,
                                    .count = 1,
                                    .address = {},
                                    .process = {},
                                    .wait = 100ms})
                            .has_value() &&
                        world.node.inspect_pool(own)->problems.empty() &&
                        world.node.list_pools().has_value() &&
                        world.node.release("shared", own).has_value() &&
                        world.node.delete_pool(own, true).has_value();
        if (!ok) ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
  check_invariants(world);
  CHECK(must(world.node.list_pools()).size() == 1);
  world.check_clean_after_delete_all();
}

TEST_CASE("crash: processes that are killed at random times leave nothing that gc cannot settle") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes();
  const World world(nodes.a);
  const PoolSpec spec = small(world.vni, "pool", "acme");
  PoolSpec boxed = pool_spec("boxed", "acme", world.vni, {"10.2.0.0/28"});
  boxed.isolation = Isolation::container;
  boxed.cooldown = 0ms;
  std::mt19937 random(1);
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  int tries = 0;
  for (; tries < 200 && std::chrono::steady_clock::now() < deadline; ++tries) {
    CAPTURE(tries);
    const auto seed = random();
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      std::mt19937 own(seed);
      for (;;) (void)one_operation(world.node, own() % 2 == 0 ? spec : boxed, own, "c1");
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500 + random() % 15000));
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    if (tries % 4 != 3) continue;  // several wrecks on top of each other, too
    const auto found = must(world.node.collect_garbage());
    for (const auto& finding : found) {
      CAPTURE(finding.object + ": " + finding.reason);
      CHECK(finding.action != GcAction::kept);
    }
    check_invariants(world);
    CHECK(words(must(world.node.collect_garbage())) == "");
  }
  CHECK(tries >= 20);
  must(world.node.collect_garbage());
  world.check_clean_after_delete_all();
}

}  // namespace particle::test
