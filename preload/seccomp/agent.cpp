// SPDX-License-Identifier: Apache-2.0
#include "seccomp/agent.hpp"

#include <array>
#include <cerrno>
#include <future>
#include <utility>

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "seccomp/call.hpp"

namespace particle::bind {
namespace {

// SECCOMP_IOCTL_NOTIF_SET_FLAGS and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, newer than Debian 12's headers.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, __u64);
constexpr unsigned long kSyncWakeUp = 1;
constexpr std::size_t kMaxLines = 1024;

/// The agent's thread makes sockets in the endpoint's namespace, and lends itself a root directory.
Result<void> settle(const NetNs& netns) {
  if (::unshare(CLONE_FS) != 0 || ::setns(netns.fd(), CLONE_NEWNET) != 0) {
    return fail(Error::from_errno(errno, "enter the endpoint's namespace",
                                  "CAP_SYS_ADMIN is needed; run it with sudo"));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(AgentSpec spec) {
  std::unique_ptr<Agent> agent(new Agent(std::move(spec)));
  agent->wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  agent->log_ready_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!agent->wake_.valid() || !agent->log_ready_.valid()) {
    return fail(Error::from_errno(errno, "start the bind agent"));
  }
  std::promise<Result<void>> settled;
  std::future<Result<void>> verdict = settled.get_future();
  agent->thread_ = std::thread([self = agent.get(), &settled] {
    Result<void> ok = settle(self->spec_.netns);
    const bool usable = ok.has_value();
    if (usable) {
      self->spec_.on_start();
    }
    settled.set_value(std::move(ok));
    if (usable) {
      self->serve();
      self->spec_.on_end();
    }
  });
  if (Result<void> ok = verdict.get(); !ok) {
    return fail(ok.error());
  }
  return agent;
}

Agent::~Agent() {
  if (thread_.joinable()) {
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_.get(), &one, sizeof(one)));
    thread_.join();
  }
}

void Agent::serve() {
  CallContext context;
  context.listener = std::make_shared<const UniqueFd>(std::move(spec_.listener));
  context.endpoint = spec_.endpoint;
  context.log = [this](std::string line) { log(std::move(line)); };
  // Caller and agent take turns: on one CPU the hand-over costs least (Linux 6.6; no matter if not).
  ::ioctl(context.listener->get(), kSetFlags, kSyncWakeUp);
  std::array<pollfd, 2> watched = {
      {{context.listener->get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
  for (;;) {
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) {
      return;
    }
    // POLLHUP: the last process under the filter is gone.
    if (watched[1].revents != 0 || (watched[0].revents & (POLLHUP | POLLERR)) != 0) {
      return;
    }
    if ((watched[0].revents & POLLIN) == 0) {
      continue;
    }
    seccomp_notif notification = {};  // the kernel insists on zeroes
    if (::ioctl(context.listener->get(), SECCOMP_IOCTL_NOTIF_RECV, &notification) == 0) {
      answer(context, notification);
    } else if (errno != EINTR && errno != ENOENT) {
      return;
    }
  }
}

void Agent::log(std::string line) {
  const std::scoped_lock lock(log_lock_);
  if (log_.size() < kMaxLines) {
    log_.push_back(std::move(line));
  }
  const std::uint64_t one = 1;
  static_cast<void>(::write(log_ready_.get(), &one, sizeof(one)));
}

std::vector<std::string> Agent::take_log() {
  const std::scoped_lock lock(log_lock_);
  std::uint64_t count = 0;
  static_cast<void>(::read(log_ready_.get(), &count, sizeof(count)));
  return std::exchange(log_, {});
}

}  // namespace particle::bind
