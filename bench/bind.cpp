// SPDX-License-Identifier: Apache-2.0
/// What the bind enforcer costs: the same calls with and without it, by mechanism.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle_bind/enforce.hpp>

#include "harness/testbed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr int kThreads = 16;

// ---- the worker: runs as the endpoint, prints nanoseconds per operation -----------------------

sockaddr_in any(in_port_t port = 0) {
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = port;
  return name;
}

sockaddr* generic(sockaddr_in& name) {
  return reinterpret_cast<sockaddr*>(&name);
}

double per_operation(int count, const std::function<void()>& operation) {
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    operation();
  }
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / count;
}

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

void bind_and_close() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name = any();
  if (fd < 0 || ::bind(fd, generic(name), sizeof(name)) != 0) {
    give_up("bind");
  }
  ::close(fd);
}

/// A listener on any address, and where it can be reached.
int listen_somewhere(sockaddr_in& at) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  at = any();
  socklen_t size = sizeof(at);
  if (fd < 0 || ::bind(fd, generic(at), size) != 0 || ::listen(fd, 4096) != 0 ||
      ::getsockname(fd, generic(at), &size) != 0) {
    give_up("listen");
  }
  const char* ip = std::getenv("PARTICLE_IP");
  at.sin_addr.s_addr = ::inet_addr(ip == nullptr ? "" : ip);
  return fd;
}

/// A connection without TIME_WAIT, which would use the ports up.
int connect_to(sockaddr_in& at) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const linger reset = {1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  if (fd < 0 || ::connect(fd, generic(at), sizeof(at)) != 0) {
    give_up("connect");
  }
  return fd;
}

double measure_connect() {
  sockaddr_in at = {};
  const int listener = listen_somewhere(at);
  return per_operation(5000, [&] {
    const int client = connect_to(at);
    ::close(::accept(listener, nullptr, nullptr));
    ::close(client);
  });
}

double measure_data() {
  sockaddr_in at = {};
  const int listener = listen_somewhere(at);
  const int client = connect_to(at);
  const int server = ::accept(listener, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  std::array<char, 1024> bytes{};
  return per_operation(100000, [&] {
    if (::send(client, bytes.data(), bytes.size(), 0) < 0 ||
        ::recv(server, bytes.data(), bytes.size(), MSG_WAITALL) < 0) {
      give_up("send");
    }
  });
}

/// Per operation of one thread, while all of them run.
double measure_threads() {
  constexpr int kEach = 500;
  const auto start = Clock::now();
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([] { per_operation(kEach, bind_and_close); });
  }
  threads.clear();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() /
         (kEach * kThreads);
}

int be_the_worker(const std::string& what) {
  const double ns = what == "bind"      ? per_operation(5000, bind_and_close)
                    : what == "connect" ? measure_connect()
                    : what == "data"    ? measure_data()
                                        : measure_threads();
  std::printf("%.1f\n", ns);
  return 0;
}

// ---- the parent -------------------------------------------------------------------------------

struct Place {
  const Testbed& bed;
  Lease lease;
  NetNs netns;
  std::string program;
};

[[noreturn]] void become_worker(const Place& place, const bind::Enforcement& guard, int out,
                                const std::string& what) {
  const std::string ip = place.lease.endpoint.v4->to_string();
  if (::setns(place.netns.fd(), CLONE_NEWNET) != 0 || ::dup2(out, STDOUT_FILENO) < 0) {
    give_up("enter");
  }
  ::setenv("PARTICLE_IP", ip.c_str(), 1);
  for (const std::string& word : guard.environment()) {
    const std::size_t equals = word.find('=');
    ::setenv(word.substr(0, equals).c_str(), word.c_str() + equals + 1, 1);
  }
  if (auto entered = guard.enter(); !entered) {
    std::fprintf(stderr, "%s\n", entered.error().message().c_str());
    std::_Exit(1);
  }
  ::execl(place.program.c_str(), place.program.c_str(), "--worker", what.c_str(), nullptr);
  give_up("exec");
}

Result<double> measure(const Place& place, bind::Mechanism mechanism, const std::string& what) {
  bind::EnforceSpec spec;
  spec.lease = place.lease;
  spec.run_dir = place.bed.run_dir();
  spec.node_id = place.bed.node().id();
  spec.mechanism = mechanism;
  auto guard = bind::Enforcement::prepare(spec);
  if (!guard) return fail(std::move(guard.error()));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Error::from_errno(errno, "make a pipe"));
  const pid_t child = ::fork();
  if (child == 0) become_worker(place, *guard, ends[1], what);
  ::close(ends[1]);
  const UniqueFd in(ends[0]);
  auto supervised = guard->supervise();
  std::array<char, 64> text{};
  const bool answered = ::read(in.get(), text.data(), text.size() - 1) > 0;
  ::waitpid(child, nullptr, 0);
  if (!supervised) return fail(std::move(supervised.error()));
  if (auto closed = guard->close(); !closed) return fail(std::move(closed.error()));
  if (!answered) return fail(Error::of(Errc::io, "measure " + what, "the worker said why"));
  return std::strtod(text.data(), nullptr) / 1000;
}

struct Question {
  const char* what;
  const char* name;
  std::optional<double> at_most[3];  ///< ebpf, seccomp, preload
};

constexpr std::array<bind::Mechanism, 3> kMechanisms = {
    bind::Mechanism::ebpf, bind::Mechanism::seccomp, bind::Mechanism::preload};
const std::array<Question, 4> kQuestions = {
    {{"bind", "socket + bind + close", {1.05, {}, 1.10}},
     {"connect", "socket + connect + accept + close", {1.05, {}, 1.10}},
     {"data", "send + recv of 1 KiB", {1.02, 1.02, 1.02}},
     {"threads", "socket + bind + close, 16 threads", {{}, {}, {}}}}};

Result<void> work(const Options& options, Results& results) {
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  auto made = bed->node().create_pool(spec_of("measured", 100, AddressMode::anyip));
  if (!made) return fail(std::move(made.error()));
  auto leases = bed->node().lease({"measured", "bench", 1, {}, {}, {}});
  if (!leases) return fail(std::move(leases.error()));
  auto netns = bed->node().open_pool_netns("measured");
  if (!netns) return fail(std::move(netns.error()));
  const Place place{*bed, leases->front(), std::move(*netns), "/proc/self/exe"};
  for (const Question& question : kQuestions) {
    for (std::size_t i = 0; i < kMechanisms.size(); ++i) {
      Comparison comparison;
      comparison.what = question.name;
      comparison.left_name = bind::to_string(kMechanisms[i]);
      comparison.right_name = "off";
      comparison.unit = "us";
      comparison.at_most = question.at_most[i];
      auto done = interleave(
          options.repeats(7), [&] { return measure(place, kMechanisms[i], question.what); },
          [&] { return measure(place, bind::Mechanism::off, question.what); }, comparison.left,
          comparison.right);
      if (!done) return done;
      results.add(comparison);
    }
  }
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  if (argc == 3 && std::string(argv[1]) == "--worker") {
    return particle::bench::be_the_worker(argv[2]);
  }
  return particle::bench::run_program(argc, argv, "bench-bind",
                                      "What the bind enforcer costs a program, by mechanism.",
                                      particle::bench::work);
}
