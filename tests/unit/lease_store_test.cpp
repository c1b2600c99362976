// SPDX-License-Identifier: Apache-2.0
#include "pool/lease_store.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <new>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/fd_leak.hpp"
#include "support/skip.hpp"

using namespace particle;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

/// A folder with a lease store that is gone afterwards.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "particle-lease-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) FAIL("mkdtemp");
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  [[nodiscard]] std::string file() const { return path + "/leases.db"; }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  std::string path;
};

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message());
  return std::move(*result);
}

/// A store whose time stands still until it is told otherwise.
struct Clocked {
  std::shared_ptr<nanoseconds> now = std::make_shared<nanoseconds>(1h);
  Folder folder;
  LeaseStore store = must(LeaseStore::open(folder.file(), [now = now] { return *now; }));
};

TakeRequest request(std::string holder, std::uint64_t capacity, std::uint64_t count = 1) {
  TakeRequest request;
  request.pool = "acme";
  request.holder = std::move(holder);
  request.count = count;
  request.capacity = capacity;
  return request;
}

TakeRequest named(std::string holder, std::uint64_t index, std::uint64_t capacity = 10) {
  TakeRequest one = request(std::move(holder), capacity);
  one.index = index;
  return one;
}

std::vector<std::uint64_t> indices(const std::vector<LeaseRow>& rows) {
  std::vector<std::uint64_t> list;
  list.reserve(rows.size());
  for (const auto& row : rows) list.push_back(row.index);
  return list;
}

std::vector<std::uint64_t> taken(LeaseStore& store, const TakeRequest& request) {
  return indices(must(store.take(request)));
}

using Indices = std::vector<std::uint64_t>;

/// Runs statements behind the store's back; the last value they yield.
std::string sql(const std::string& file, const char* text) {
  std::string last;
  const auto keep = [](void* to, int columns, char** values, char**) {
    if (columns > 0 && values[0] != nullptr) *static_cast<std::string*>(to) = values[0];
    return 0;
  };
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
  CHECK(sqlite3_exec(handle, text, keep, &last, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
  return last;
}

/// The exit status of `body` in a child.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

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

TEST_CASE("lease store: never-used endpoints come first, in order") {
  Clocked at;
  TakeRequest first = request("a", 10, 2);
  first.first_index = 1;
  CHECK(taken(at.store, first) == Indices{1, 2});
  must(at.store.release("acme", "a", {}, 0ms));
  first.count = 7;
  CHECK(taken(at.store, first) == Indices{3, 4, 5, 6, 7, 8, 9});
  first.count = 2;
  CHECK(taken(at.store, first) == Indices{1, 2});
}

TEST_CASE("lease store: a row says who holds what, since when and for which process") {
  Clocked at;
  const auto before = std::chrono::system_clock::now() - 1ms;
  TakeRequest one = request("c42", 10);
  one.process = ProcessId{.pid = 7, .start_time = 12345678901234567890U};
  const auto row = must(at.store.take(one)).at(0);
  CHECK(row.since >= before);
  CHECK(row.since <= std::chrono::system_clock::now());
  const auto listed = must(at.store.list());
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].pool == "acme");
  CHECK(listed[0].index == 0);
  CHECK(listed[0].holder == "c42");
  CHECK(listed[0].since == row.since);
  CHECK(listed[0].process == one.process);
}

TEST_CASE("lease store: leases are listed by pool, by holder and by both, in order") {
  Clocked at;
  must(at.store.take(named("b", 5)));
  must(at.store.take(request("a", 10, 2)));
  TakeRequest other = request("a", 10);
  other.pool = "Zeta";
  must(at.store.take(other));
  CHECK(indices(must(at.store.list())) == Indices{0, 0, 1, 5});
  CHECK(indices(must(at.store.list("acme"))) == Indices{0, 1, 5});
  CHECK(indices(must(at.store.list({}, "a"))) == Indices{0, 0, 1});
  CHECK(must(at.store.list({}, "a")).at(0).pool == "Zeta");
  CHECK(indices(must(at.store.list("acme", "a"))) == Indices{0, 1});
  CHECK(must(at.store.list("none")).empty());
}

TEST_CASE("lease store: pools do not disturb each other") {
  Clocked at;
  TakeRequest other = request("a", 1);
  other.pool = "beta";
  CHECK(taken(at.store, request("a", 1)) == Indices{0});
  CHECK(taken(at.store, other) == Indices{0});
  must(at.store.release("acme", "a", {}, 1s));
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 0, .cooling = 1});
  CHECK(must(at.store.usage("beta")) == Usage{.leased = 1, .cooling = 0});
  CHECK(must(at.store.usage("none")) == Usage{});
}

TEST_CASE("lease store: a released endpoint rests for its cool-down") {
  Clocked at;
  must(at.store.take(request("a", 1)));
  must(at.store.release("acme", "a", {}, 1s));
  CHECK(must(at.store.next_cooled("acme")) == std::optional<nanoseconds>{1s});
  *at.now += 400ms;

  TakeRefusal why;
  const auto refused = at.store.take(request("b", 1), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(refused.error().operation == "pool acme: 0 of 1 endpoints free (0 held, 1 cooling down)");
  CHECK(refused.error().details == std::vector<std::string>{"the next is free in 600 ms"});
  CHECK(why.wait == std::optional<nanoseconds>{600ms});

  *at.now += 600ms;
  CHECK(must(at.store.next_cooled("acme")) == std::optional<nanoseconds>{0ns});
  CHECK(must(at.store.usage("acme")) == Usage{});
  CHECK(taken(at.store, request("b", 1)) == Indices{0});
  CHECK_FALSE(must(at.store.next_cooled("acme")).has_value());
}

TEST_CASE("lease store: the endpoint that has rested longest goes first") {
  Clocked at;
  for (const auto* holder : {"a", "b", "c"}) must(at.store.take(request(holder, 3)));
  for (const auto* holder : {"b", "c", "a"}) {
    *at.now += 1ms;
    must(at.store.release("acme", holder, {}, 10ms));
  }
  *at.now += 1s;
  CHECK(taken(at.store, request("d", 3)) == Indices{1});
  CHECK(taken(at.store, request("d", 3, 2)) == Indices{2, 0});
}

TEST_CASE("lease store: a batch waits until enough endpoints have cooled") {
  Clocked at;
  for (const auto* holder : {"a", "b", "c"}) must(at.store.take(request(holder, 4)));
  must(at.store.release("acme", "a", {}, 1s));
  must(at.store.release("acme", "b", {}, 2s));
  TakeRefusal why;
  const auto refused = at.store.take(request("d", 4, 3), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(why.wait == std::optional<nanoseconds>{2s});
  CHECK(refused.error().details == std::vector<std::string>{"enough are free in 2000 ms"});
  *at.now += 2s;
  CHECK(taken(at.store, request("d", 4, 3)) == Indices{3, 0, 1});
}

TEST_CASE("lease store: a cool-down that was shortened shortens the rests under way") {
  Clocked at;
  must(at.store.take(request("a", 1)));
  must(at.store.release("acme", "a", {}, 1h));
  TakeRequest impatient = request("b", 1);
  impatient.cooldown = 1s;
  TakeRefusal why;
  CHECK_FALSE(at.store.take(impatient, &why));
  CHECK(why.wait == std::optional<nanoseconds>{1s});
  *at.now += 1s;
  CHECK(taken(at.store, impatient) == Indices{0});
}

TEST_CASE("lease store: a full pool says how its endpoints are used") {
  Clocked at;
  must(at.store.take(request("a", 254, 250)));
  must(at.store.take(request("b", 254, 4)));
  must(at.store.release("acme", "b", {}, 1s));
  const auto refused = at.store.take(request("c", 254, 5));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::exhausted);
  CHECK(refused.error().operation ==
        "pool acme: 0 of 254 endpoints free (250 held, 4 cooling down), 5 wanted");

  CHECK(at.store.take(request("b", 254)).error().kind() == Errc::busy);
  *at.now += 1s;
  must(at.store.take(request("b", 254, 4)));
  const auto full = at.store.take(request("c", 254));
  REQUIRE_FALSE(full);
  CHECK(full.error().kind() == Errc::exhausted);
  CHECK(full.error().operation == "pool acme: 0 of 254 endpoints free (254 held, 0 cooling down)");
}

TEST_CASE("lease store: a batch that does not fit changes nothing") {
  Clocked at;
  must(at.store.take(request("a", 10, 4)));
  for (const std::uint64_t count : {std::uint64_t{7}, std::uint64_t{11}, ~std::uint64_t{0}}) {
    const auto refused = at.store.take(request("b", 10, count));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::exhausted);
  }
  CHECK(must(at.store.list()).size() == 4);
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 4, .cooling = 0});
  CHECK(taken(at.store, request("b", 10, 6)) == Indices{4, 5, 6, 7, 8, 9});
}

TEST_CASE("lease store: a named endpoint goes to one holder, who may ask again") {
  Clocked at;
  CHECK(taken(at.store, named("a", 7)) == Indices{7});
  const auto first = must(at.store.list()).at(0);
  CHECK(taken(at.store, named("a", 7)) == Indices{7});
  CHECK(must(at.store.list()).at(0).since == first.since);
  CHECK(must(at.store.usage("acme")).leased == 1);

  TakeRefusal why;
  const auto refused = at.store.take(named("b", 7), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(refused.error().operation == "pool acme: 7 is held by a");
  CHECK(why.index == std::optional<std::uint64_t>{7});
  CHECK(why.holder == "a");
  CHECK_FALSE(why.wait.has_value());
}

TEST_CASE("lease store: asking again for a named endpoint binds it to the new process") {
  Clocked at;
  TakeRequest one = named("a", 7);
  one.process = ProcessId{.pid = 1, .start_time = 1};
  must(at.store.take(one));
  one.process = ProcessId{.pid = 2, .start_time = 2};
  CHECK(must(at.store.take(one)).at(0).process == one.process);
  CHECK(must(at.store.list()).at(0).process == one.process);
  must(at.store.take(named("a", 7)));
  CHECK(must(at.store.list()).at(0).process == one.process);
}

TEST_CASE("lease store: a named endpoint that cools down says for how long") {
  Clocked at;
  must(at.store.take(named("a", 7)));
  must(at.store.release("acme", "a", 7, 1s));
  TakeRefusal why;
  const auto refused = at.store.take(named("a", 7), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(refused.error().operation == "pool acme: 7 is cooling down");
  CHECK(refused.error().details == std::vector<std::string>{"it is free in 1000 ms"});
  CHECK(why.holder.empty());
  CHECK(why.wait == std::optional<nanoseconds>{1s});
  *at.now += 1s;
  CHECK(taken(at.store, named("a", 7)) == Indices{7});
}

TEST_CASE("lease store: the cursor passes over named endpoints, held or resting") {
  Clocked at;
  must(at.store.take(named("a", 1)));
  must(at.store.take(named("a", 2)));
  must(at.store.take(named("b", 4)));
  must(at.store.release("acme", "b", 4, 1s));
  CHECK(taken(at.store, request("c", 6, 3)) == Indices{0, 3, 5});
  *at.now += 1s;
  CHECK(taken(at.store, request("c", 6)) == Indices{4});
}

TEST_CASE("lease store: a refusal keeps no endpoint back") {
  Clocked at;
  for (std::uint64_t index = 0; index < 9; ++index) must(at.store.take(named("a", index)));
  CHECK_FALSE(at.store.take(request("b", 10, 2)));
  CHECK(taken(at.store, request("b", 10)) == Indices{9});
  CHECK_FALSE(at.store.take(request("b", 10)));
  CHECK(taken(at.store, request("b", 11)) == Indices{10});
}

TEST_CASE("lease store: nonsense is refused before anything is touched") {
  Clocked at;
  std::vector<TakeRequest> rows{request("a", 10, 0), request("", 10),     named("a", 10),
                                named("a", 3),       request("a", ~0ULL), named("a", 0)};
  rows[3].count = 2;
  rows[5].first_index = 1;
  for (const auto& row : rows) {
    const auto refused = at.store.take(row);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::invalid_argument);
  }
  CHECK(must(at.store.list()).empty());
}

TEST_CASE("lease store: release gives back all of a holder's endpoints, or one") {
  Clocked at;
  must(at.store.take(request("a", 10, 4)));
  must(at.store.take(request("b", 10)));
  CHECK(indices(must(at.store.release("acme", "a", 2, 0ms))) == Indices{2});
  CHECK(must(at.store.release("acme", "a", 4, 0ms)).empty());
  CHECK(must(at.store.release("acme", "nobody", {}, 0ms)).empty());
  CHECK(must(at.store.release("other", "a", {}, 0ms)).empty());
  CHECK(indices(must(at.store.release("acme", "a", {}, 0ms))) == Indices{0, 1, 3});
  CHECK(must(at.store.release("acme", "a", {}, 0ms)).empty());
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 1, .cooling = 0});
}

TEST_CASE("lease store: highest looks at leases only") {
  Clocked at;
  CHECK_FALSE(must(at.store.highest("acme")).has_value());
  must(at.store.take(request("a", 10, 3)));
  must(at.store.take(named("b", 8)));
  CHECK(must(at.store.highest("acme")) == std::optional<std::uint64_t>{8});
  must(at.store.release("acme", "b", {}, 1h));
  CHECK(must(at.store.highest("acme")) == std::optional<std::uint64_t>{2});
}

TEST_CASE("lease store: forgotten endpoints are as never used") {
  Clocked at;
  must(at.store.take(request("a", 10, 6)));
  must(at.store.release("acme", "a", 5, 1h));
  must(at.store.release("acme", "a", 0, 1h));
  CHECK(must(at.store.forget("acme", 3)) == 2);
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 2, .cooling = 1});
  CHECK(indices(must(at.store.list())) == Indices{1, 2});
  CHECK(taken(at.store, request("b", 10, 7)) == Indices{3, 4, 5, 6, 7, 8, 9});
  CHECK(must(at.store.forget("acme", 0)) == 9);
  CHECK(must(at.store.forget("acme", 0)) == 0);
  CHECK(must(at.store.usage("acme")) == Usage{});
  CHECK(taken(at.store, request("b", 1)) == Indices{0});
}

TEST_CASE("lease store: what was stored is there for the next one to open it") {
  const Folder folder;
  must(must(LeaseStore::open(folder.file())).take(request("a", 10, 3)));
  auto again = must(LeaseStore::open_existing(folder.file()));
  REQUIRE(again.has_value());
  CHECK(indices(must(again->list())) == Indices{0, 1, 2});
  CHECK(taken(*again, request("b", 10)) == Indices{3});
}

TEST_CASE("lease store: reading never creates") {
  const Folder folder;
  CHECK_FALSE(must(LeaseStore::open_existing(folder.file())).has_value());
  CHECK(folder.names().empty());
  CHECK_FALSE(must(LeaseStore::open_existing(folder.path + "/none/leases.db")).has_value());
  // A maker that was killed before its first commit leaves an empty file.
  {
    const std::ofstream empty{folder.file()};
  }
  CHECK_FALSE(must(LeaseStore::open_existing(folder.file())).has_value());
  must(must(LeaseStore::open(folder.file())).take(request("a", 1)));
  CHECK(must(LeaseStore::open_existing(folder.file())).has_value());
}

TEST_CASE("lease store: no file but the store and its journal, no descriptor left open") {
  const Folder folder;
  const test::FdLeak descriptors;
  {
    auto store = must(LeaseStore::open(folder.file()));
    must(store.take(request("a", 10, 10)));
    CHECK_FALSE(store.take(request("a", 10)));
    must(store.release("acme", "a", {}, 0ms));
  }
  CHECK(descriptors.leaked() == std::vector<std::string>{});
  for (const auto& name : folder.names()) {
    CAPTURE(name);
    CHECK((name == "leases.db" || name == "leases.db-journal"));
  }
}

TEST_CASE("lease store: a file that is no store is left alone and named") {
  const Folder folder;
  std::ofstream{folder.file()} << std::string(8192, 'x');
  for (const bool create : {true, false}) {
    Error error;
    if (create) {
      error = LeaseStore::open(folder.file()).error();
    } else {
      error = LeaseStore::open_existing(folder.file()).error();
    }
    CHECK(error.kind() == Errc::corrupt_state);
    CHECK(error.operation.find(folder.file()) != std::string::npos);
    CHECK(error.hint.find("particle gc") != std::string::npos);
  }
  CHECK(std::filesystem::file_size(folder.file()) == 8192);
}

TEST_CASE("lease store: a store that was damaged inside is found out") {
  const Folder folder;
  must(must(LeaseStore::open(folder.file())).take(request("a", 1000, 1000)));
  const auto size = std::filesystem::file_size(folder.file());
  {
    std::fstream file{folder.file(), std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(4096);
    file << std::string(size - 4096, '\x5a');
  }
  auto store = must(LeaseStore::open(folder.file()));
  const auto listed = store.list();
  REQUIRE_FALSE(listed);
  CHECK(listed.error().kind() == Errc::corrupt_state);
  const auto refused = store.take(request("b", 2000));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::corrupt_state);
}

TEST_CASE("lease store: a newer version is refused, whoever opens it") {
  const Folder folder;
  must(must(LeaseStore::open(folder.file())).take(request("a", 1)));
  sql(folder.file(), "PRAGMA user_version=2");
  CHECK(LeaseStore::open(folder.file()).error().kind() == Errc::corrupt_state);
  CHECK(LeaseStore::open_existing(folder.file()).error().kind() == Errc::corrupt_state);
  sql(folder.file(), "PRAGMA user_version=1");
  CHECK(must(must(LeaseStore::open(folder.file())).list()).size() == 1);
}

TEST_CASE("lease store: a directory that is missing or read-only is no place for a store") {
  const Folder folder;
  CHECK(LeaseStore::open(folder.path + "/none/leases.db").error().kind() == Errc::not_found);
  const int status = in_child([&] {
    if (::chmod(folder.path.c_str(), 0555) != 0) return 90;
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setuid(kNobody) != 0)) return 91;
    const auto opened = LeaseStore::open(folder.file());
    if (opened) return 1;
    return opened.error().kind() == Errc::permission_denied ? 0 : 2;
  });
  ::chmod(folder.path.c_str(), 0755);
  CHECK(status == 0);
}

TEST_CASE("lease store: a store that may only be read can be read, not changed") {
  const Folder folder;
  must(must(LeaseStore::open(folder.file())).take(request("a", 10)));
  const int status = in_child([&] {
    if (::chmod(folder.file().c_str(), 0444) != 0 || ::chmod(folder.path.c_str(), 0755) != 0)
      return 90;
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setuid(kNobody) != 0)) return 91;
    auto opened = LeaseStore::open(folder.file());
    if (!opened) return 1;
    const auto listed = opened->list();
    if (!listed || listed->size() != 1) return 2;
    const auto taken = opened->take(request("b", 10));
    if (taken) return 3;
    return taken.error().kind() == Errc::permission_denied ? 0 : 4;
  });
  CHECK(status == 0);
}

TEST_CASE("lease store: a full disk changes nothing") {
  const Folder folder;
  constexpr int kUnavailable = 77;
  const int status = in_child([&] {
    const int flags = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
    if (::unshare(flags) != 0) return kUnavailable;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kUnavailable;
    if (::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=128k") != 0) return kUnavailable;
    auto store = LeaseStore::open(folder.file());
    if (!store) return 1;
    if (!store->take(request("a", 65000, 5))) return 2;
    const auto refused = store->take(request("b", 65000, 20000));
    if (refused) return 3;
    if (refused.error().kind() != Errc::exhausted) return 4;
    const auto usage = store->usage("acme");
    if (!usage || usage->leased != 5) return 5;
    const auto listed = store->list();
    if (!listed || listed->size() != 5) return 6;
    const auto more = store->take(request("b", 65000));
    return more && more->at(0).index == 5 ? 0 : 7;
  });
  if (status == kUnavailable) {
    return test::skip("needs a mount namespace for a small disk");
  }
  CHECK(status == 0);
}

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

TEST_CASE("process: this one is alive, and not another one with its pid") {
  const auto self = identify_process(::getpid());
  REQUIRE(self.has_value());
  CHECK(self->pid == ::getpid());
  CHECK(self->start_time > 0);
  CHECK(alive(*self));
  CHECK_FALSE(alive({.pid = self->pid, .start_time = self->start_time + 1}));
  CHECK_FALSE(identify_process(0).has_value());
  CHECK_FALSE(identify_process(-1).has_value());
  CHECK_FALSE(alive({.pid = 0, .start_time = 0}));
}

TEST_CASE("process: a child is alive until it ends, a zombie is not") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    ::_exit(::read(ends[0], &byte, 1) < 0 ? 1 : 0);
  }
  const auto id = identify_process(child);
  REQUIRE(id.has_value());
  CHECK(alive(*id));
  ::close(ends[0]);
  ::close(ends[1]);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(alive(*id));
  CHECK_FALSE(identify_process(child).has_value());
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK_FALSE(alive(*id));
}
