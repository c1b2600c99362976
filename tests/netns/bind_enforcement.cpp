// SPDX-License-Identifier: Apache-2.0
// The bind enforcer's C++ interface, as whoever starts containers uses it.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

Result<std::vector<Lease>> leased(std::vector<Lease> leases) {
  return leases;
}

/// A program that binds any address when it is told to, and says where that was.
constexpr const char* kBinder =
    "import socket, sys\n"
    "kept = []\n"
    "for line in iter(sys.stdin.readline, ''):\n"
    "  s = socket.socket()\n"
    "  if line == 'keep\\n': kept.append(s); print(s.fileno(), flush=True); continue\n"
    "  s.bind(('', 0)); print(s.getsockname()[0], flush=True)\n";

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
  [[nodiscard]] std::string ask() const { return say("\n"); }
  /// The number of a socket that it made and keeps, unbound.
  [[nodiscard]] int make_socket() const { return std::stoi(say("keep\n")); }

 private:
  [[nodiscard]] std::string say(const std::string& line) const {
    std::string text;
    char byte = 0;
    if (::write(to_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      return "";
    while (::read(from_.get(), &byte, 1) == 1 && byte != '\n') text += byte;
    return text;
  }

  pid_t pid_ = -1;
  UniqueFd to_;
  UniqueFd from_;
};

/// Another process's descriptor, as this one's.
UniqueFd duplicate(int fd, pid_t process) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0)));
  REQUIRE(copy.valid());
  return copy;
}

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
    CHECK(must(bind::sweep(spec.run_dir, spec.node_id, [&] {
            return leased({spec.lease});
          })).empty());
    CHECK(process.ask() == "127.1.0.7");
    CHECK(must(bind::sweep(spec.run_dir, spec.node_id, [] { return leased({}); })) ==
          std::vector<std::string>{"web@7"});
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

TEST_CASE("bind enforcement: a socket is its maker's endpoint's, whoever holds it") {
  if (!need_root()) return;
  ::signal(SIGPIPE, SIG_IGN);
  const TempRunDir run_dir;
  bind::Enforcement one = must(bind::Enforcement::prepare(spec_in(run_dir.path(), 7)));
  bind::Enforcement two = must(bind::Enforcement::prepare(spec_in(run_dir.path(), 8)));
  const Conversation maker;
  const Conversation holder;
  must(one.adopt(maker.pid()));
  must(two.adopt(holder.pid()));
  // The maker keeps an unbound socket for others; this process, which is no endpoint's, takes it over.
  const UniqueFd unbound = duplicate(maker.make_socket(), maker.pid());
  sockaddr_in name{};
  name.sin_family = AF_INET;
  socklen_t size = sizeof(name);
  REQUIRE(::bind(unbound.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
  REQUIRE(::getsockname(unbound.get(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
  CHECK(must(IpAddress::parse("127.1.0.7")).to_string() == ::inet_ntoa(name.sin_addr));
  CHECK(holder.ask() == "127.1.0.8");
}

TEST_CASE("bind enforcement: sockets of an endpoint that was ended are refused everything") {
  if (!need_root()) return;
  ::signal(SIGPIPE, SIG_IGN);
  const TempRunDir run_dir;
  bind::Enforcement guard = must(bind::Enforcement::prepare(spec_in(run_dir.path(), 7)));
  const Conversation process;
  must(guard.adopt(process.pid()));
  const UniqueFd kept = duplicate(process.make_socket(), process.pid());
  must(guard.close());
  sockaddr_in name{};
  name.sin_family = AF_INET;
  CHECK(::bind(kept.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)) != 0);
  CHECK(errno == EPERM);
}

}  // namespace particle::test
