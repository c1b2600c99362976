// SPDX-License-Identifier: Apache-2.0
/// What a container costs the node's bind agent: memory by container, and whether a thousand of them make
/// a call slower. The agent's worker is the real one (NodeAgent); what stands for a container is a
/// process under a filter that hands bind(2) over.
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle_bind/agent.hpp>

#include "harness/testbed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

constexpr int kBinds = 200;

/// A listener for the bind(2) of this process, from now on.
int hand_bind_over() {
  std::array<sock_filter, 4> code = {{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_bind},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_USER_NOTIF},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  }};
  const sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

/// Microseconds of one bind(2) to any address; negative when it fails.
double bind_once() {
  sockaddr_in any = {};
  any.sin_family = AF_INET;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const auto start = Clock::now();
  const int bound = ::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof(any));
  const double took = to_ms(Clock::now() - start) * 1000;
  ::close(fd);
  return bound == 0 ? took : -1;
}

struct Pipe {
  UniqueFd out;
  UniqueFd in;
  static Result<Pipe> make() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Error::from_errno(errno, "make a pipe"));
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
};

/// A process that stands for a container: says which descriptor is its listener, then binds when asked.
class Container {
 public:
  static Result<std::unique_ptr<Container>> start(const NetNs& netns) {
    auto to = Pipe::make();
    auto from = Pipe::make();
    if (!to || !from) return fail(to ? from.error() : to.error());
    std::unique_ptr<Container> one(new Container);
    one->child_ = ::fork();
    if (one->child_ == 0) {
      if (::setns(netns.fd(), CLONE_NEWNET) != 0) ::_exit(1);
      ::dup2(to->out.get(), STDIN_FILENO);
      ::dup2(from->in.get(), STDOUT_FILENO);
      ::close_range(STDERR_FILENO + 1, ~0U, 0);  // the others' pipes, which would never end
      be_the_container();
    }
    one->to_ = std::move(to->in);
    one->from_ = std::move(from->out);
    return one;
  }
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;
  ~Container() {
    to_.reset();
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }

  [[nodiscard]] Result<UniqueFd> take_listener() const {
    int fd = -1;
    if (::read(from_.get(), &fd, sizeof(fd)) != sizeof(fd) || fd < 0) {
      return fail(Error::of(Errc::io, "install a seccomp filter"));
    }
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child_, 0)));
    UniqueFd listener(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0)));
    if (!listener.valid()) return fail(Error::from_errno(errno, "take a listener over"));
    return listener;
  }
  [[nodiscard]] Result<double> bind() const {
    double took = 0;
    if (::write(to_.get(), "?", 1) != 1 ||
        ::read(from_.get(), &took, sizeof(took)) != sizeof(took) || took < 0) {
      return fail(Error::of(Errc::io, "bind in a container"));
    }
    return took;
  }

 private:
  Container() = default;
  [[noreturn]] static void be_the_container() {
    constexpr int kIn = STDIN_FILENO;
    constexpr int kOut = STDOUT_FILENO;
    const int listener = hand_bind_over();
    if (::write(kOut, &listener, sizeof(listener)) != sizeof(listener)) ::_exit(1);
    for (char byte = 0; ::read(kIn, &byte, 1) == 1;) {
      const double took = bind_once();
      if (::write(kOut, &took, sizeof(took)) != sizeof(took)) break;
    }
    ::_exit(0);
  }

  pid_t child_ = -1;
  UniqueFd to_;
  UniqueFd from_;
};

/// What this process has on its heap, in bytes. Not what the kernel has given it: it takes what it needs
/// from what others gave back.
double heap_bytes() {
  const auto heap = ::mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
}

bind::EnforceSpec enforcement_of(const Testbed& bed, const Lease& lease) {
  bind::EnforceSpec spec;
  spec.lease = lease;
  spec.run_dir = bed.run_dir();
  spec.node_id = bed.node().id();
  spec.mechanism = bind::Mechanism::seccomp;
  return spec;
}

struct Crowd {
  const Testbed& bed;
  const std::vector<Lease>& leases;
  const NetNs& netns;
  bind::NodeAgent agent;
  std::vector<std::unique_ptr<Container>> containers = {};

  /// One more container that the agent decides for.
  Result<void> grow() {
    auto one = Container::start(netns);
    if (!one) return fail(std::move(one.error()));
    auto listener = (*one)->take_listener();
    if (!listener) return fail(std::move(listener.error()));
    const Lease& lease = leases[containers.size()];
    const auto number = static_cast<std::uint32_t>(containers.size() + 1);
    containers.push_back(*std::move(one));
    return agent.add(number, *std::move(listener), enforcement_of(bed, lease), lease.netns_path);
  }
};

Result<void> work(const Options& options, Results& results) {
  const std::size_t count = options.quick ? 20 : 1000;
  auto bed = Testbed::make();
  if (!bed) return fail(std::move(bed.error()));
  auto made = bed->node().create_pool(spec_of("measured", count + 8, AddressMode::anyip));
  if (!made) return fail(std::move(made.error()));
  auto leases = bed->node().lease({"measured", "bench", count, {}, {}, {}});
  if (!leases) return fail(std::move(leases.error()));
  auto netns = bed->node().open_pool_netns("measured");
  if (!netns) return fail(std::move(netns.error()));
  auto table = bind::CallTable::make();
  if (!table) return fail(std::move(table.error()));
  const std::vector<Lease> first{leases->front()};
  Crowd one{*bed, first, *netns, bind::NodeAgent(*table)};
  Crowd many{*bed, *leases, *netns, bind::NodeAgent(*table)};
  many.containers.reserve(count);
  if (auto ok = one.grow(); !ok) return ok;
  if (auto ok = many.grow(); !ok) return ok;
  const double before = heap_bytes();
  while (many.containers.size() < count) {
    if (auto ok = many.grow(); !ok) return ok;
  }
  Series each;
  each.add((heap_bytes() - before) / static_cast<double>(count - 1));
  results.add("agent's memory by container, " + std::to_string(count) + " containers", each,
              "bytes");
  Comparison comparison;
  comparison.what = "bind(2), the agent having " + std::to_string(count) + " containers";
  comparison.left_name = "many";
  comparison.right_name = "one";
  comparison.unit = "us";
  auto done = interleave(
      kBinds, [&] { return many.containers.back()->bind(); },
      [&] { return one.containers.front()->bind(); }, comparison.left, comparison.right);
  if (!done) return done;
  results.add(comparison);
  results.note(
      "The memory is the worker's heap; what the benchmark notes of each container, some 50 bytes, "
      "is in "
      "it. Beside it each container takes a descriptor of the worker and one of the keeper.");
  return {};
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(argc, argv, "bench-bind-agent",
                                      "What a container costs the node's bind agent.",
                                      particle::bench::work);
}
