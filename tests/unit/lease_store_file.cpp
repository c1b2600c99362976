// SPDX-License-Identifier: Apache-2.0
// The store as a file: kept, damaged, of another version, on a full or read-only disk.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>

#include "support/fd_leak.hpp"
#include "support/skip.hpp"
#include "unit/lease_scene.hpp"

using namespace particle;
using namespace particle::test::lease;

namespace {

/// The exit status of `body` in a child.
int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

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
