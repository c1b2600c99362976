// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>

#include <pthread.h>
#include <unistd.h>

#include <particle/netns.hpp>

#include "netns/worker.hpp"
#include "support/fd_leak.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

std::uint64_t current_inode() {
  return must(must(NetNs::current()).inode());
}

std::string read_here(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  return text;
}

std::string read_in(const NetNs& netns, const std::string& path) {
  std::string text;
  must(netns.run([&]() -> Result<void> {
    text = read_here(path);
    return {};
  }));
  return text;
}

}  // namespace

TEST_CASE("netns: creating one leaves the calling thread where it was") {
  if (!need_namespaces()) return;
  const auto before = current_inode();
  const auto fresh = must(create_netns());
  CHECK(current_inode() == before);
  CHECK(must(fresh.netns.inode()) != before);
}

TEST_CASE("netns: eight threads that create at once stay where they were") {
  if (!need_namespaces()) return;
  const auto before = current_inode();
  constexpr std::size_t kThreads = 8;
  constexpr int kRounds = 10;
  std::vector<int> wrong(kThreads, -1);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (std::size_t index = 0; index < kThreads; ++index) {
    threads.emplace_back([&wrong, index, before] {
      int errors = 0;
      for (int round = 0; round < kRounds; ++round) {
        const auto fresh = create_netns();
        const auto here = NetNs::current();
        if (!fresh || !here || here->inode().value_or(0) != before) ++errors;
      }
      wrong[index] = errors;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(std::count(wrong.begin(), wrong.end(), 0) == static_cast<long>(kThreads));
  CHECK(current_inode() == before);
}

TEST_CASE("netns: a hundred in a loop are all different and leave no descriptor behind") {
  if (!need_namespaces()) return;
  const FdLeak fds;
  {
    std::vector<FreshNetNs> kept;
    std::set<std::uint64_t> inodes;
    std::set<std::uint64_t> cookies;
    for (int count = 0; count < 100; ++count) {
      kept.push_back(must(create_netns()));
      inodes.insert(must(kept.back().netns.inode()));
      cookies.insert(must(kept.back().netns.cookie()));
    }
    CHECK(inodes.size() == 100);
    CHECK(cookies.size() == 100);
  }
  CHECK(fds.leaked() == std::vector<std::string>{});
}

TEST_CASE("netns: sysctls land in the new namespace and nowhere else") {
  if (!need_namespaces()) return;
  const std::string forward = "/proc/sys/net/ipv4/ip_forward";
  const std::string before = read_here(forward);
  const std::string other = before == "1" ? "0" : "1";
  const auto fresh = must(create_netns({{"net/ipv4/ip_forward", other}}));
  CHECK(read_in(fresh.netns, forward) == other);
  CHECK(read_here(forward) == before);
  must(fresh.netns.write_sysctls({{"net/ipv4/ip_forward", before}}));
  CHECK(read_in(fresh.netns, forward) == before);
}

TEST_CASE("netns: a sysctl that does not exist is named, unless it is optional") {
  if (!need_namespaces()) return;
  const auto fresh = must(create_netns({{"net/ipv4/no_such_thing", "1", true}}));
  const auto refused = create_netns({{"net/ipv4/no_such_thing", "1"}});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::not_found);
  CHECK(refused.error().message().find("net/ipv4/no_such_thing") != std::string::npos);
  const auto nonsense = fresh.netns.write_sysctls({{"net/ipv4/ip_forward", "many"}});
  REQUIRE_FALSE(nonsense);
  CHECK(nonsense.error().message().find("ip_forward=many") != std::string::npos);
}

TEST_CASE("netns: a sysctl outside net/ is refused, for it would be the whole host's") {
  if (!need_namespaces()) return;
  const auto fresh = must(create_netns());
  for (const char* path : {"kernel/hostname", "net/../kernel/hostname", "net//ipv4", "net/", ""}) {
    CAPTURE(path);
    const auto refused = fresh.netns.write_sysctls({{path, "x", true}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::invalid_argument);
  }
}

TEST_CASE("netns: run() works inside, joins, and returns what the function returned") {
  if (!need_namespaces()) return;
  const auto fresh = must(create_netns());
  const auto wanted = must(fresh.netns.inode());
  std::uint64_t seen = 0;
  must(fresh.netns.run([&seen]() -> Result<void> {
    seen = current_inode();
    return {};
  }));
  CHECK(seen == wanted);
  const auto failed =
      fresh.netns.run([] { return Result<void>(fail(Error::of(Errc::busy, "try it", "wait"))); });
  REQUIRE_FALSE(failed);
  CHECK(failed.error().kind() == Errc::busy);
  CHECK(failed.error().operation == "try it");
  CHECK(failed.error().hint == "wait");
}

TEST_CASE("netns: an exception inside run() comes back as an error") {
  if (!need_namespaces()) return;
  const auto fresh = must(create_netns());
  const auto known =
      fresh.netns.run([]() -> Result<void> { throw std::runtime_error("spilt milk"); });
  REQUIRE_FALSE(known);
  CHECK(known.error().message().find("spilt milk") != std::string::npos);
  CHECK_FALSE(fresh.netns.run([]() -> Result<void> { throw 42; }));
}

TEST_CASE("netns: run() takes no signal and leaves the caller's mask alone") {
  if (!need_namespaces()) return;
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  sigset_t inside;
  sigemptyset(&inside);
  must(must(NetNs::current()).run([&inside]() -> Result<void> {
    pthread_sigmask(SIG_SETMASK, nullptr, &inside);
    return {};
  }));
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK(sigismember(&inside, SIGINT) == 1);
  CHECK(sigismember(&inside, SIGTERM) == 1);
  for (const int number : {SIGINT, SIGTERM, SIGCHLD, SIGUSR1}) {
    CHECK(sigismember(&before, number) == sigismember(&after, number));
  }
}

TEST_CASE("netns: who only looks does so on the caller's thread where that is inside already") {
  if (!need_namespaces()) return;
  const auto fresh = must(create_netns());
  const auto own = must(NetNs::current());
  for (const NetNs* netns : {&own, &fresh.netns}) {
    pid_t thread = 0;
    std::uint64_t seen = 0;
    sigset_t inside;
    sigemptyset(&inside);
    must(detail::look_in_netns(netns->fd(), [&]() -> Result<void> {
      thread = gettid();
      seen = current_inode();
      pthread_sigmask(SIG_SETMASK, nullptr, &inside);
      return {};
    }));
    CHECK((thread == gettid()) == (netns == &own));
    CHECK(seen == must(netns->inode()));
    CHECK(sigismember(&inside, SIGINT) == 1);
  }
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  CHECK(sigismember(&after, SIGINT) == 0);
  CHECK_FALSE(detail::look_in_netns(own.fd(), []() -> Result<void> { throw 42; }));
  CHECK(detail::look_in_netns(-1, [] { return Result<void>(); }).error().kind() == Errc::kernel);
}

TEST_CASE("netns: run() and open_session() leave no descriptor behind") {
  if (!need_namespaces()) return;
  const auto fresh = must(create_netns());
  const FdLeak fds;
  for (int count = 0; count < 50; ++count) {
    must(fresh.netns.run([] { return Result<void>(); }));
    const auto session = must(fresh.netns.open_session());
    const auto copy = must(fresh.netns.duplicate());
    CHECK(must(copy.inode()) == must(fresh.netns.inode()));
  }
  CHECK(fds.leaked() == std::vector<std::string>{});
}

TEST_CASE("netns: the cookie tells namespaces apart and stays the same") {
  if (!need_namespaces()) return;
  const auto one = must(create_netns());
  const auto two = must(create_netns());
  CHECK(must(one.netns.cookie()) == must(one.netns.cookie()));
  CHECK(must(one.netns.cookie()) != must(two.netns.cookie()));
}

TEST_CASE("netns: opening says what is wrong with the name, the path or the process") {
  if (!need_namespaces()) return;
  CHECK(NetNs::open_path("/nonexistent/ns").error().kind() == Errc::not_found);
  CHECK(NetNs::open_path("/etc/passwd").error().kind() == Errc::invalid_argument);
  CHECK(NetNs::open_path("/proc/self/ns/uts").error().kind() == Errc::invalid_argument);
  CHECK(NetNs::open_name("../etc/passwd").error().kind() == Errc::invalid_argument);
  CHECK(NetNs::open_name("").error().kind() == Errc::invalid_argument);
  CHECK(NetNs::open_name("particle-no-such").error().kind() == Errc::not_found);
  CHECK(NetNs::open_pid(-1).error().kind() == Errc::invalid_argument);
  CHECK(NetNs::open_pid(0x7ffffff0).error().kind() == Errc::not_found);
  CHECK(must(must(NetNs::open_pid(getpid())).inode()) == current_inode());
}

TEST_CASE("netns: two nodes reach each other over the underlay") {
  if (!need_namespaces()) return;
  const TwoNodes nodes = make_two_nodes(1450);
  const auto link = run_command({"ip", "-o", "link", "show", kUnderlayDevice}, &nodes.a);
  CHECK(link.exit_code == 0);
  CHECK(link.out.find("mtu 1450") != std::string::npos);
  CHECK(run_command({"ping", "-c1", "-W2", "192.0.2.2"}, &nodes.a).exit_code == 0);
  CHECK(run_command({"ping", "-6", "-c1", "-W2", "2001:db8::1"}, &nodes.b).exit_code == 0);
}

}  // namespace particle::test
