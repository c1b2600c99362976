// SPDX-License-Identifier: Apache-2.0
#include "spawn/instance.hpp"

#include <csignal>
#include <string>

#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>

#include "spawn/calls.hpp"
#include "spawn/confine.hpp"
#include "spawn/init.hpp"
#include "spawn/view.hpp"

namespace particle::fleet::spawn {
namespace {

Failure bind_life_to(int spawner) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return last_failure("ask for the parent's death");
  // It may have died before that.
  pollfd dead = {spawner, POLLIN, 0};
  return ::poll(&dead, 1, 0) > 0 ? failure(ESRCH, "start under a dead spawner") : Failure{};
}

Failure join_groups(const Descriptors& given) {
  for (const Descriptor group : {kMemory, kCpu, kPids}) {
    const int fd = given.at(group);
    if (fd >= 0 && ::write(fd, "0", 1) != 1) return last_failure("join a control group");
  }
  // After the move: what the instance sees as its root is the group it is in now.
  return ::unshare(CLONE_NEWCGROUP) == 0 ? Failure{} : last_failure("make a cgroup namespace");
}

Failure connect_streams(const Context& context, const Descriptors& given) {
  const std::array<int, 3> streams = {given.at(kInput), given.at(kOutput), given.at(kError)};
  for (int i = 0; i < 3; ++i) {
    const int from = streams[static_cast<std::size_t>(i)];
    if (::dup2(from < 0 ? context.null : from, i) < 0) return last_failure("connect a stream");
  }
  return {};
}

/// All but the pipe, which becomes kSocket, and the way to the bind agent, kListeners: the instance's init has
/// nothing of the spawner's.
Failure leave_descriptors(const Context& context) {
  if (::dup3(context.notify, kSocket, O_CLOEXEC) < 0) return last_failure("keep the pipe");
  if (context.listeners < 0) {
    return close_from(kSocket + 1) == 0 ? Failure{} : last_failure("close descriptors");
  }
  // dup3() to itself is an error.
  if (context.listeners != kListeners && ::dup3(context.listeners, kListeners, O_CLOEXEC) < 0) {
    return last_failure("keep the way to the bind agent");
  }
  return close_from(kListeners + 1) == 0 ? Failure{} : last_failure("close descriptors");
}

Failure become_instance(const Context& context, const Start& start, const Descriptors& given) {
  if (Failure bad = bind_life_to(context.spawner)) return bad;
  if (Failure bad = join_groups(given)) return bad;
  const int netns = given.at(kNetns);
  if (netns >= 0 && ::setns(netns, CLONE_NEWNET) != 0) return last_failure("enter the namespace");
  if (::sethostname(start.hostname.data(), start.hostname.size()) != 0) {
    return last_failure("set the host name");
  }
  if (Failure bad = connect_streams(context, given)) return bad;
  if (Failure bad = leave_descriptors(context)) return bad;
  if (Failure bad = build_view(context.job, start)) return bad;
  if (Failure bad = confine(context.job)) return bad;
  return context.listeners < 0 ? Failure{} : hand_over_calls(context.job, start.token);
}

[[noreturn]] void run_child(const Context& context, const Start& start, const Descriptors& given,
                            int number, Slot& slot) {
  slot.failure = become_instance(context, start, given);
  if (slot.failure) ::_exit(1);
  run_init(start, kSocket, number, slot);
}

}  // namespace

Descriptors::Descriptors(std::uint32_t which, const std::vector<int>& given) {
  fds_.fill(-1);
  std::size_t next = 0;
  for (std::size_t bit = 0; bit < fds_.size() && next < given.size(); ++bit) {
    if ((which & (1U << bit)) != 0) fds_[bit] = given[next++];
  }
  for (; next < given.size(); ++next) ::close(given[next]);
}

Descriptors::~Descriptors() {
  for (const int fd : fds_) {
    if (fd >= 0) ::close(fd);
  }
}

int Descriptors::at(Descriptor which) const {
  return fds_[static_cast<std::size_t>(__builtin_ctz(which))];
}

pid_t spawn_instance(const Context& context, const Start& start, const Descriptors& given,
                     int number, Slot& slot) {
  clone_args args = {};
  args.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
  args.exit_signal = SIGCHLD;
  if (const int group = given.at(kGroup); group >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<__u64>(group);
  }
  const pid_t child = clone3(args);
  if (child == 0) run_child(context, start, given, number, slot);
  return child;
}

}  // namespace particle::fleet::spawn
