// SPDX-License-Identifier: Apache-2.0
// Many endpoints, many threads, and processes that are killed at any moment.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <new>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/skip.hpp"
#include "unit/lease_scene.hpp"

using namespace particle;
using namespace particle::test::lease;

namespace {

/// Who has each endpoint, according to the holders themselves.
struct Board {
  static constexpr std::uint64_t kEndpoints = 64;
  std::array<std::atomic<int>, kEndpoints> owner{};
  std::atomic<int> clashes{0};
  std::atomic<int> failures{0};
  std::atomic<int> takes{0};

  void take(std::uint64_t index, int who) {
    ++takes;
    int nobody = 0;
    if (!owner.at(index).compare_exchange_strong(nobody, who)) ++clashes;
  }
  void give(std::uint64_t index, int who) {
    int me = who;
    if (!owner.at(index).compare_exchange_strong(me, 0)) ++clashes;
  }
};

std::string holder_name(int who) {
  return "h" + std::to_string(who);
}

void take_and_release(LeaseStore& store, Board& board, int who, int round) {
  auto rows =
      store.take(request(holder_name(who), Board::kEndpoints, 1 + std::uint64_t(round) % 3));
  if (!rows) {
    ++board.failures;
    return;
  }
  for (const auto& row : *rows) board.take(row.index, who);
  for (const auto& row : *rows) board.give(row.index, who);
  const auto released = store.release("acme", holder_name(who), {}, 0ms);
  if (!released || released->size() != rows->size()) ++board.failures;
}

}  // namespace

TEST_CASE("lease store: 65,000 endpoints go out in batches of 1,000, each once") {
  const Folder folder;
  auto store = must(LeaseStore::open(folder.file()));
  constexpr std::uint64_t kAll = 65000;
  std::uint64_t expected = 0;
  for (int batch = 0; batch < 65; ++batch) {
    const auto rows = must(store.take(request("b" + std::to_string(batch), kAll, 1000)));
    bool in_order = rows.size() == 1000;
    for (const auto& row : rows) in_order = in_order && row.index == expected++;
    CHECK(in_order);
  }
  CHECK_FALSE(store.take(request("c", kAll)));
  CHECK(must(store.usage("acme")).leased == kAll);
  CHECK(must(store.list("acme", "b64")).size() == 1000);
  CHECK(must(store.highest("acme")) == std::optional<std::uint64_t>{kAll - 1});
  CHECK(must(store.release("acme", "b7", {}, 0ms)).size() == 1000);
  CHECK(taken(store, request("c", kAll)) == Indices{7000});
}

TEST_CASE("lease store: eight threads never hold the same endpoint") {
  const Folder folder;
  must(LeaseStore::open(folder.file()));
  Board board;
  std::vector<std::thread> threads;
  for (int who = 1; who <= 8; ++who) {
    threads.emplace_back([&board, file = folder.file(), who] {
      auto kept = LeaseStore::open(file);
      for (int round = 0; round < 500; ++round) {
        // Both habits: one object for long, and one per operation.
        if (round % 4 != 0 && kept) {
          take_and_release(*kept, board, who, round);
        } else if (auto fresh = LeaseStore::open(file)) {
          take_and_release(*fresh, board, who, round);
        } else {
          ++board.failures;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(board.clashes == 0);
  CHECK(board.failures == 0);
  CHECK(board.takes >= 8 * 500);
  auto store = must(LeaseStore::open(folder.file()));
  CHECK(must(store.list()).empty());
  CHECK(must(store.usage("acme")).leased == 0);
}

TEST_CASE("lease store: eight processes that are killed at random leave no endpoint held twice") {
  const Folder folder;
  void* shared =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto* board = new (shared) Board;

  int last = 0;
  const auto start = [&](int who) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    // Opened anew each time, as a program that leases once does; the store itself is made here too.
    for (int round = 0;; ++round) {
      if (auto store = LeaseStore::open(folder.file())) {
        take_and_release(*store, *board, who, round);
      } else {
        ++board->failures;
      }
    }
  };
  std::vector<std::pair<pid_t, int>> children;
  for (int slot = 0; slot < 8; ++slot) {
    ++last;
    children.emplace_back(start(last), last);
  }

  std::mt19937 random{20240601};
  std::set<std::string> buried;
  const auto bury = [&](std::pair<pid_t, int> child) {
    ::kill(child.first, SIGKILL);
    ::waitpid(child.first, nullptr, 0);
    buried.insert(holder_name(child.second));
    for (auto& owner : board->owner) {
      int dead = child.second;
      owner.compare_exchange_strong(dead, 0);
    }
    auto store = must(LeaseStore::open(folder.file()));
    // Half of them keep what they held until the end.
    if (random() % 2 == 0) must(store.release("acme", holder_name(child.second), {}, 0ms));
  };
  for (int kills = 0; kills < 60; ++kills) {
    ::usleep(static_cast<useconds_t>(random() % 15000));
    auto& victim = children.at(random() % children.size());
    bury(victim);
    // The dead who were not released may fill the pool: gc's work, done here now and then.
    if (kills % 8 == 7) {
      auto store = must(LeaseStore::open(folder.file()));
      for (const auto& holder : buried) must(store.release("acme", holder, {}, 0ms));
    }
    ++last;
    victim = {start(last), last};
  }
  for (const auto& child : children) bury(child);

  CHECK(board->clashes == 0);
  CHECK(board->failures == 0);
  CHECK(board->takes > 60);
  auto store = must(LeaseStore::open(folder.file()));
  std::set<std::uint64_t> seen;
  const auto rows = must(store.list());
  for (const auto& row : rows) {
    CHECK(seen.insert(row.index).second);
    CHECK(buried.contains(row.holder));
    CHECK(row.index < Board::kEndpoints);
  }
  CHECK(must(store.usage("acme")).leased == rows.size());
  CHECK(sql(folder.file(), "PRAGMA integrity_check") == "ok");

  for (const auto& holder : buried) must(store.release("acme", holder, {}, 0ms));
  CHECK(must(store.take(request("all", Board::kEndpoints, Board::kEndpoints))).size() ==
        Board::kEndpoints);
  ::munmap(shared, sizeof(Board));
}
