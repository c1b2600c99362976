// SPDX-License-Identifier: Apache-2.0
#include "seccomp/agent.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <future>
#include <utility>

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace particle::bind {
namespace {

// SECCOMP_IOCTL_NOTIF_SET_FLAGS and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, newer than Debian 12's headers.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, __u64);
constexpr unsigned long kSyncWakeUp = 1;
constexpr unsigned kMostThreads = 4;
/// Armed once at a time: two threads that both saw one notification would leave one of them waiting in
/// SECCOMP_IOCTL_NOTIF_RECV, which has no way not to.
constexpr std::uint32_t kOnce = EPOLLIN | EPOLLONESHOT;

/// The threads make sockets in the endpoints' namespace, and lend themselves root directories.
Result<void> settle(const NetNs& netns) {
  if (::unshare(CLONE_FS) != 0 || ::setns(netns.fd(), CLONE_NEWNET) != 0) {
    return fail(Error::from_errno(errno, "enter the endpoint's namespace",
                                  "CAP_SYS_ADMIN is needed; run it with sudo"));
  }
  return {};
}

Result<void> watch(int epoll, int fd, std::uint32_t events, std::uint32_t number) {
  epoll_event event = {};
  event.events = events;
  event.data.u32 = number;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return fail(Error::from_errno(errno, "watch a seccomp listener"));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(const NetNs& netns,
                                            std::shared_ptr<InFlight> in_flight) {
  std::unique_ptr<Agent> agent(new Agent(std::move(in_flight)));
  agent->epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  agent->wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!agent->epoll_.valid() || !agent->wake_.valid()) {
    return fail(Error::from_errno(errno, "start the bind agent"));
  }
  if (auto ok = watch(agent->epoll_.get(), agent->wake_.get(), EPOLLIN, 0); !ok) {
    return fail(ok.error());
  }
  const unsigned count = std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
  for (unsigned i = 0; i < count; ++i) {
    std::promise<Result<void>> settled;
    std::future<Result<void>> verdict = settled.get_future();
    agent->threads_.emplace_back([self = agent.get(), &netns, &settled] {
      Result<void> ok = settle(netns);
      const bool usable = ok.has_value();
      settled.set_value(std::move(ok));
      if (usable) {
        self->serve();
      }
    });
    if (Result<void> ok = verdict.get(); !ok) {
      return fail(ok.error());
    }
  }
  return agent;
}

Agent::~Agent() {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_.get(), &one, sizeof(one)));
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

Result<void> Agent::add(std::uint32_t number, UniqueFd listener, const pb_endpoint& endpoint,
                        Logger log) {
  // Caller and agent take turns: on one CPU the hand-over costs least (Linux 6.6; no matter if not).
  ::ioctl(listener.get(), kSetFlags, kSyncWakeUp);
  const int fd = listener.get();
  const std::scoped_lock lock(lock_);
  listeners_[number] = std::make_shared<const CallContext>(
      CallContext{number, std::move(listener), endpoint, std::move(log), in_flight_});
  auto watched = watch(epoll_.get(), fd, kOnce, number);
  if (!watched) {
    listeners_.erase(number);
  }
  return watched;
}

std::size_t Agent::size() const {
  const std::scoped_lock lock(lock_);
  return listeners_.size();
}

std::shared_ptr<const CallContext> Agent::find(std::uint32_t number) const {
  const std::scoped_lock lock(lock_);
  const auto found = listeners_.find(number);
  return found == listeners_.end() ? nullptr : found->second;
}

void Agent::rearm(const CallContext& context) const {
  epoll_event event = {};
  event.events = kOnce;
  event.data.u32 = context.number;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, context.listener.get(), &event);
}

void Agent::remove(std::uint32_t number) {
  const std::scoped_lock lock(lock_);
  const auto found = listeners_.find(number);
  if (found != listeners_.end()) {
    // Closing does not do it as long as somebody else has the listener, too.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->listener.get(), nullptr);
    listeners_.erase(found);
  }
}

void Agent::serve_one(std::uint32_t number, std::uint32_t events, InFlight::Entry& entry) {
  const auto context = find(number);
  if (context == nullptr) {
    return;
  }
  // The last process under the filter is gone.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    remove(number);
    return;
  }
  entry.notification = {};  // the kernel insists on zeroes
  entry.listener = number;
  const bool received =
      ::ioctl(context->listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &entry.notification) == 0;
  rearm(*context);
  if (received) {
    answer(context, entry.notification);
  }
  entry.listener = 0;
}

void Agent::serve() {
  InFlight::Entry* entry = in_flight_->take();
  if (entry == nullptr) {
    return;  // more threads than the table has room for: the others do
  }
  epoll_event event = {};
  for (;;) {
    const int ready = ::epoll_wait(epoll_.get(), &event, 1, -1);
    if (ready < 0 && errno != EINTR) {
      break;
    }
    if (ready == 1 && event.data.u32 == 0) {
      break;
    }
    if (ready == 1) {
      serve_one(event.data.u32, event.events, *entry);
    }
  }
  InFlight::give_back(entry);
}

}  // namespace particle::bind
