// SPDX-License-Identifier: Apache-2.0
/// What the bind enforcer costs: the same calls with and without it, by mechanism.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
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
#include "support/empty_hooks.hpp"
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

/// Nanoseconds of one operation, after a few that only warm up.
double per_operation(int count, const std::function<void()>& operation) {
  for (int i = 0; i < count / 10; ++i) {
    operation();
  }
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

void bind_and_close_at(sockaddr_in name) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::bind(fd, generic(name), sizeof(name)) != 0) {
    give_up("bind");
  }
  ::close(fd);
}

void bind_and_close() {
  bind_and_close_at(any());
}

/// The endpoint's own address, any port.
sockaddr_in own() {
  const char* ip = std::getenv("PARTICLE_IP");
  sockaddr_in name = any();
  name.sin_addr.s_addr = ::inet_addr(ip == nullptr ? "" : ip);
  return name;
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
  at.sin_addr = own().sin_addr;
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

/// One round of a question, to be asked for again and again.
using Round = std::function<double()>;

Round connect_rounds() {
  sockaddr_in at = {};
  const int listener = listen_somewhere(at);
  return [listener, at]() mutable {
    return per_operation(100, [&] {
      const int client = connect_to(at);
      ::close(::accept(listener, nullptr, nullptr));
      ::close(client);
    });
  };
}

Round data_rounds() {
  sockaddr_in at = {};
  const int listener = listen_somewhere(at);
  const int client = connect_to(at);
  const int server = ::accept(listener, nullptr, nullptr);
  const int on = 1;
  ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return [client, server] {
    std::array<char, 1024> bytes{};
    return per_operation(500, [&] {
      if (::send(client, bytes.data(), bytes.size(), 0) < 0 ||
          ::recv(server, bytes.data(), bytes.size(), MSG_WAITALL) < 0) {
        give_up("send");
      }
    });
  };
}

/// Per operation of one thread, while all of them run.
double round_of_threads() {
  constexpr int kEach = 50;
  const auto start = Clock::now();
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([] {
      for (int each = 0; each < kEach; ++each) {
        bind_and_close();
      }
    });
  }
  threads.clear();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() /
         (kEach * kThreads);
}

Round rounds_of(const std::string& what) {
  if (what == "bind") return [] { return per_operation(300, bind_and_close); };
  if (what == "own") {
    return [name = own()] { return per_operation(300, [&] { bind_and_close_at(name); }); };
  }
  if (what == "connect") return connect_rounds();
  if (what == "data") return data_rounds();
  return round_of_threads;
}

/// Answers each byte on standard input with the nanoseconds of one round.
int be_the_worker(const std::string& what) {
  const Round round = rounds_of(what);
  for (char byte = 0; ::read(STDIN_FILENO, &byte, 1) == 1;) {
    const double took = round();
    if (::write(STDOUT_FILENO, &took, sizeof(took)) != sizeof(took)) give_up("answer");
  }
  return 0;
}

// ---- the parent -------------------------------------------------------------------------------

struct Place {
  const Testbed& bed;
  Lease lease;
  NetNs netns;
  std::string program;
  const EmptyHooks& hooks;
};

/// How a process is kept to the endpoint, if it is; `in_hooks`: with programs at the kernel's hooks that do
/// nothing.
struct Way {
  const char* name = "";
  bind::Mechanism mechanism = bind::Mechanism::off;
  bool in_hooks = false;
};

/// A process that does a round when it is asked to.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> start(const Place& place, const Way& way,
                                               const std::string& what);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { end(); }

  /// Microseconds of one operation.
  [[nodiscard]] Result<double> round() const {
    double ns = 0;
    if (::write(to_.get(), "?", 1) != 1 || ::read(from_.get(), &ns, sizeof(ns)) != sizeof(ns)) {
      return fail(Error::of(Errc::io, "measure", "the worker said why"));
    }
    return ns / 1000;
  }

 private:
  explicit Worker(bind::Enforcement guard) : guard_(std::move(guard)) {}
  [[noreturn]] void become(const Place& place, const Way& way, std::array<int, 2> streams,
                           const std::string& what) const;
  void end() {
    to_.reset();
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
    static_cast<void>(guard_.close());
  }

  bind::Enforcement guard_;
  UniqueFd to_;
  UniqueFd from_;
  pid_t child_ = -1;
};

void Worker::become(const Place& place, const Way& way, std::array<int, 2> streams,
                    const std::string& what) const {
  const std::string ip = place.lease.endpoint.v4->to_string();
  if (::setns(place.netns.fd(), CLONE_NEWNET) != 0 || ::dup2(streams[0], STDIN_FILENO) < 0 ||
      ::dup2(streams[1], STDOUT_FILENO) < 0) {
    give_up("enter");
  }
  ::setenv("PARTICLE_IP", ip.c_str(), 1);
  for (const std::string& word : guard_.environment()) {
    const std::size_t equals = word.find('=');
    ::setenv(word.substr(0, equals).c_str(), word.c_str() + equals + 1, 1);
  }
  auto entered = way.in_hooks ? place.hooks.enter() : guard_.enter();
  if (!entered) {
    std::fprintf(stderr, "%s\n", entered.error().message().c_str());
    std::_Exit(1);
  }
  ::execl(place.program.c_str(), place.program.c_str(), "--worker", what.c_str(), nullptr);
  give_up("exec");
}

Result<std::unique_ptr<Worker>> Worker::start(const Place& place, const Way& way,
                                              const std::string& what) {
  bind::EnforceSpec spec;
  spec.lease = place.lease;
  spec.run_dir = place.bed.run_dir();
  spec.node_id = place.bed.node().id();
  spec.mechanism = way.mechanism;
  auto guard = bind::Enforcement::prepare(spec);
  if (!guard) return fail(std::move(guard.error()));
  std::unique_ptr<Worker> worker(new Worker(std::move(*guard)));
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
    return fail(Error::from_errno(errno, "make a pipe"));
  }
  worker->child_ = ::fork();
  if (worker->child_ == 0) worker->become(place, way, {in[0], out[1]}, what);
  ::close(in[0]);
  ::close(out[1]);
  worker->to_ = UniqueFd(in[1]);
  worker->from_ = UniqueFd(out[0]);
  if (auto ok = worker->guard_.supervise(); !ok) return fail(std::move(ok.error()));
  return worker;
}

/// Two processes, asked in turns: the least of many short rounds of each. What else runs on the machine takes
/// longer than a round, and misses some; what the enforcement costs, each of them has.
Result<void> compare(const Place& place, const Way& left_way, const Way& right_way,
                     const std::string& what, std::size_t rounds, Comparison& comparison) {
  auto with = Worker::start(place, left_way, what);
  if (!with) return fail(std::move(with.error()));
  auto without = Worker::start(place, right_way, what);
  if (!without) return fail(std::move(without.error()));
  Series left;
  Series right;
  auto done = interleave(
      rounds, [&] { return (*with)->round(); }, [&] { return (*without)->round(); }, left, right);
  if (!done) return done;
  comparison.left.add(left.quantile(0));
  comparison.right.add(right.quantile(0));
  return {};
}

constexpr Way kOff{"off"};
constexpr Way kHooks{"empty hooks", bind::Mechanism::off, true};
constexpr Way kEbpf{"ebpf", bind::Mechanism::ebpf};
constexpr Way kSeccomp{"seccomp", bind::Mechanism::seccomp};
constexpr Way kPreload{"preload", bind::Mechanism::preload};

struct Question {
  const char* what = "";
  const char* name = "";
  const Way* left = nullptr;
  const Way* right = nullptr;
  std::optional<double> at_most;
};

constexpr const char* kBind = "socket + bind + close";
constexpr const char* kOwn = "the same, bound to the own address";
constexpr const char* kConnect = "socket + connect + accept + close";
constexpr const char* kData = "send + recv of 1 KiB";
constexpr const char* kManyThreads = "socket + bind + close, 16 threads";

constexpr std::array kQuestions = std::to_array<Question>({
    {"bind", kBind, &kEbpf, &kOff, 1.05},
    {"bind", kBind, &kHooks, &kOff, {}},
    {"bind", kBind, &kEbpf, &kHooks, {}},
    {"bind", kBind, &kSeccomp, &kOff, {}},
    {"bind", kBind, &kPreload, &kOff, 1.10},
    {"own", kOwn, &kEbpf, &kOff, 1.05},
    {"own", kOwn, &kEbpf, &kHooks, {}},
    {"own", kOwn, &kSeccomp, &kOff, {}},
    {"own", kOwn, &kPreload, &kOff, 1.10},
    {"connect", kConnect, &kEbpf, &kOff, 1.05},
    {"connect", kConnect, &kSeccomp, &kOff, {}},
    {"connect", kConnect, &kPreload, &kOff, 1.10},
    {"data", kData, &kEbpf, &kOff, 1.02},
    {"data", kData, &kSeccomp, &kOff, 1.02},
    {"data", kData, &kPreload, &kOff, 1.02},
    {"threads", kManyThreads, &kEbpf, &kOff, {}},
    {"threads", kManyThreads, &kSeccomp, &kOff, {}},
    {"threads", kManyThreads, &kPreload, &kOff, {}},
});

Result<void> work(const Options& options, Results& results) {
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  auto made = bed->node().create_pool(spec_of("measured", 100, AddressMode::anyip));
  if (!made) return fail(std::move(made.error()));
  auto leases = bed->node().lease({"measured", "bench", 1, {}, {}, {}});
  if (!leases) return fail(std::move(leases.error()));
  auto netns = bed->node().open_pool_netns("measured");
  if (!netns) return fail(std::move(netns.error()));
  auto hooks = EmptyHooks::make(bed->run_dir() + "/cgroup2");
  if (!hooks) return fail(std::move(hooks.error()));
  results.note("Each value is the least of 100 rounds of 0.5 to 10 ms, in turns with the other's.");
  results.note(
      "Empty hooks: eBPF programs of two instructions at the hooks that the enforcer's are at. "
      "What they "
      "cost is the kernel's own.");
  const Place place{*bed, leases->front(), std::move(*netns), "/proc/self/exe", *hooks};
  for (const Question& question : kQuestions) {
    Comparison comparison;
    comparison.what = question.name;
    comparison.left_name = question.left->name;
    comparison.right_name = question.right->name;
    comparison.unit = "us";
    comparison.at_most = question.at_most;
    for (std::size_t pair = 0; pair < options.repeats(11); ++pair) {
      auto done = compare(place, *question.left, *question.right, question.what,
                          options.repeats(100), comparison);
      if (!done) return done;
    }
    results.add(comparison);
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
