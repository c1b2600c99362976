// SPDX-License-Identifier: Apache-2.0
// The bind enforcer's C++ interface, as whoever starts containers uses it.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/node.hpp>
#include <particle_bind/enforce.hpp>

#include "support/fd_leak.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// A leased endpoint that is no pool's: the enforcer asks for nothing but its numbers.
bind::EnforceSpec spec_in(const std::string& run_dir, std::uint64_t index) {
  bind::EnforceSpec spec;
  spec.lease.pool = "web";
  spec.lease.holder = "c" + std::to_string(index);
  spec.lease.endpoint.index = index;
  spec.lease.endpoint.v4 = must(IpAddress::parse("127.1.0." + std::to_string(index)));
  spec.run_dir = run_dir;
  spec.node_id = "test-" + std::to_string(::getpid());
  spec.mechanism = bind::Mechanism::ebpf;
  return spec;
}

/// A program that binds any address when it is told to, and says where that was.
constexpr const char* kBinder =
    "import socket, sys\n"
    "for line in iter(sys.stdin.readline, ''):\n"
    "  s = socket.socket(); s.bind(('', 0)); print(s.getsockname()[0], flush=True)\n";

/// A child with both ends of its standard streams.
class Conversation {
 public:
  Conversation() {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    REQUIRE(::pipe2(in.data(), O_CLOEXEC) == 0);
    REQUIRE(::pipe2(out.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      ::execlp("python3", "python3", "-c", kBinder, nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = UniqueFd(in[1]);
    from_ = UniqueFd(out[0]);
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Where it was bound; empty when it is dead.
  [[nodiscard]] std::string ask() const {
    std::string text;
    char byte = 0;
    if (::write(to_.get(), "\n", 1) != 1) return "";
    while (::read(from_.get(), &byte, 1) == 1 && byte != '\n') text += byte;
    return text;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd to_;
  UniqueFd from_;
};

}  // namespace

TEST_CASE(
    "bind enforcement: a process that runs already can be adopted, and outlives its adopter") {
  if (!need_root()) return;
  ::signal(SIGPIPE, SIG_IGN);
  const TempRunDir run_dir;
  const FdLeak fds;
  const bind::EnforceSpec spec = spec_in(run_dir.path(), 7);
  {
    const Conversation process;
    CHECK(process.ask() == "0.0.0.0");
    {
      bind::Enforcement guard = must(bind::Enforcement::prepare(spec));
      must(guard.adopt(process.pid()));
      CHECK(process.ask() == "127.1.0.7");
      must(guard.detach());
    }
    // Nobody holds anything any more but the pins.
    CHECK(process.ask() == "127.1.0.7");
    CHECK(must(bind::sweep(spec.run_dir, spec.node_id, {spec.lease})).empty());
    CHECK(process.ask() == "127.1.0.7");
    CHECK(must(bind::sweep(spec.run_dir, spec.node_id, {})) == std::vector<std::string>{"web@7"});
    CHECK(process.ask().empty());
  }
  CHECK(fs::is_empty(run_dir.path() + "/enforce"));
  CHECK(fds.leaked() == std::vector<std::string>{});
}

TEST_CASE("bind enforcement: one endpoint has one enforcement") {
  if (!need_root()) return;
  const TempRunDir run_dir;
  bind::Enforcement first = must(bind::Enforcement::prepare(spec_in(run_dir.path(), 7)));
  const auto second = bind::Enforcement::prepare(spec_in(run_dir.path(), 7));
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().kind() == Errc::busy);
  CHECK(bind::Enforcement::prepare(spec_in(run_dir.path(), 8)).has_value());
  must(first.close());
  must(first.close());
  CHECK(fs::is_empty(run_dir.path() + "/enforce"));
}

TEST_CASE("bind enforcement: many endpoints share one set of programs") {
  if (!need_root()) return;
  const TempRunDir run_dir;
  const FdLeak fds;
  {
    std::vector<bind::Enforcement> guards;
    for (std::uint64_t i = 1; i <= 100; ++i) {
      guards.push_back(must(bind::Enforcement::prepare(spec_in(run_dir.path(), i))));
    }
    const std::string bpf =
        run_dir.path() + "/enforce/" + spec_in(run_dir.path(), 1).node_id + "/bpf";
    // The kernel puts files of its own into every bpffs.
    CHECK(std::count_if(fs::directory_iterator(bpf), {},
                        [](const auto& entry) { return entry.is_directory(); }) == 1);
  }
  CHECK(fs::is_empty(run_dir.path() + "/enforce"));
  CHECK(fds.leaked() == std::vector<std::string>{});
}

TEST_CASE("bind enforcement: a process in the node's group that is no endpoint gets nothing") {
  if (!need_root()) return;
  ::signal(SIGPIPE, SIG_IGN);
  const TempRunDir run_dir;
  const bind::EnforceSpec spec = spec_in(run_dir.path(), 7);
  bind::Enforcement guard = must(bind::Enforcement::prepare(spec));
  const Conversation process;
  must(guard.adopt(process.pid()));
  CHECK(process.ask() == "127.1.0.7");
  // Its group's parent: below no endpoint.
  const CommandResult moved = run_command(
      {"sh", "-c",
       "g=$(sed -n 's/^0:://p' /proc/" + std::to_string(process.pid()) +
           "/cgroup); m=$(awk '$3 == \"cgroup2\" {print $2; exit}' /proc/mounts); echo " +
           std::to_string(process.pid()) + " >$m${g%/*}/cgroup.procs"});
  CHECK(moved.err.empty());
  CHECK(process.ask().empty());  // EPERM ended it
}

}  // namespace particle::test
