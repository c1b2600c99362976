// SPDX-License-Identifier: Apache-2.0
#include "seccomp/agent.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "seccomp/call.hpp"

namespace particle::bind {
namespace {

// SECCOMP_IOCTL_NOTIF_SET_FLAGS and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, newer than Debian 12's headers.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, __u64);
constexpr unsigned long kSyncWakeUp = 1;
/// Threads of one agent that have nothing to do.
constexpr unsigned kMostIdle = 4;
/// Connects that wait for the network each hold a thread; more than this, of all agents, get EAGAIN.
constexpr int kMostWaiting = 512;
std::atomic<int> waiting_connects{0};

constexpr int kLingerMilliseconds = 5;
constexpr std::uint32_t kOnce = EPOLLIN | EPOLLONESHOT;

/// The threads make sockets in the endpoints' namespace, and lend themselves root directories.
Result<void> settle(const NetNs* netns) {
  if (::unshare(CLONE_FS) != 0 || (netns != nullptr && ::setns(netns->fd(), CLONE_NEWNET) != 0)) {
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

/// The threads. Whoever finds itself waiting for the network leaves the others to it, and sees to it that
/// there is another; it comes back, unless there are enough by then. So a connect costs a thread only
/// while all others wait, too. Each holds the crew: it may outlive the agent.
class Agent::Crew : public std::enable_shared_from_this<Crew> {
 public:
  explicit Crew(std::shared_ptr<InFlight> in_flight) : in_flight_(std::move(in_flight)) {}

  Result<void> open();
  /// Starts a thread, in `netns` or where the caller is; returns when it is at work.
  Result<void> hire(const NetNs* netns);
  Result<void> add(std::uint32_t number, CallContext context);
  [[nodiscard]] std::size_t size() const;
  void stop();

 private:
  class Turn;
  using Context = std::shared_ptr<const CallContext>;
  void work(InFlight::Entry& entry);
  void serve_one(std::uint32_t number, std::uint32_t events, InFlight::Entry& entry);
  bool leave();
  void come_back();
  bool linger(int listener);
  /// Does the agent end, or are there enough others? Then the caller is not counted any more.
  bool is_dismissed();
  Context find(std::uint32_t number) const;
  void rearm(std::uint32_t number, const CallContext& context) const;
  void remove(std::uint32_t number);

  std::shared_ptr<InFlight> in_flight_;
  UniqueFd epoll_;
  UniqueFd wake_;
  mutable std::mutex lock_;
  std::map<std::uint32_t, Context> listeners_;
  std::condition_variable gone_;
  unsigned present_ = 0;  ///< threads that answer; the others wait for the network
  bool stopping_ = false;
};

Result<void> Agent::Crew::open() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!epoll_.valid() || !wake_.valid()) {
    return fail(Error::from_errno(errno, "start the bind agent"));
  }
  return watch(epoll_.get(), wake_.get(), EPOLLIN, 0);
}

Result<void> Agent::Crew::hire(const NetNs* netns) {
  std::promise<Result<void>> settled;
  std::future<Result<void>> verdict = settled.get_future();
  InFlight::Entry* entry = in_flight_->take();
  if (entry == nullptr) {
    return fail(Error::of(Errc::exhausted, "find room for another thread of the bind agent"));
  }
  try {
    std::thread([self = shared_from_this(), netns, entry, &settled] {
      Result<void> ok = settle(netns);
      const bool usable = ok.has_value();
      if (usable) {
        const std::scoped_lock lock(self->lock_);
        ++self->present_;
      }
      settled.set_value(std::move(ok));
      if (usable) {
        self->work(*entry);
      }
      InFlight::give_back(entry);
    }).detach();
  } catch (const std::system_error& refused) {
    InFlight::give_back(entry);
    return fail(Error::from_errno(refused.code().value(), "start a thread of the bind agent"));
  }
  return verdict.get();
}

Result<void> Agent::Crew::add(std::uint32_t number, CallContext context) {
  // Caller and agent take turns: on one CPU the hand-over costs least (Linux 6.6; no matter if not).
  ::ioctl(context.listener.get(), kSetFlags, kSyncWakeUp);
  const int fd = context.listener.get();
  const std::scoped_lock lock(lock_);
  listeners_[number] = std::make_shared<const CallContext>(std::move(context));
  auto watched = watch(epoll_.get(), fd, kOnce, number);
  if (!watched) {
    listeners_.erase(number);
  }
  return watched;
}

std::size_t Agent::Crew::size() const {
  const std::scoped_lock lock(lock_);
  return listeners_.size();
}

void Agent::Crew::stop() {
  std::unique_lock lock(lock_);
  stopping_ = true;
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_.get(), &one, sizeof(one)));
  gone_.wait(lock, [this] { return present_ == 0; });
}

bool Agent::Crew::leave() {
  if (waiting_connects.fetch_add(1) >= kMostWaiting) {
    waiting_connects.fetch_sub(1);
    return false;
  }
  std::unique_lock lock(lock_);
  while (present_ <= 1) {  // again, when another took the new one's presence for granted, too
    lock.unlock();
    if (!hire(nullptr)) {
      waiting_connects.fetch_sub(1);
      return false;
    }
    lock.lock();
  }
  --present_;
  return true;
}

void Agent::Crew::come_back() {
  waiting_connects.fetch_sub(1);
  const std::scoped_lock lock(lock_);
  ++present_;
}

/// Waits a moment for the next call that comes from a listener, if the others can do without. The kernel
/// wakes a thread that polls the listener itself on the caller's CPU, one in epoll_wait(2) on any: 12 us
/// against 25 us for two calls where the other CPU has to be woken up.
bool Agent::Crew::linger(int listener) {
  {
    const std::scoped_lock lock(lock_);
    if (present_ <= 1 || stopping_) {
      return false;
    }
    --present_;
  }
  pollfd next = {listener, POLLIN, 0};
  const bool called = ::poll(&next, 1, kLingerMilliseconds) == 1 && next.revents == POLLIN;
  const std::scoped_lock lock(lock_);
  ++present_;
  return called && !stopping_;
}

bool Agent::Crew::is_dismissed() {
  const std::scoped_lock lock(lock_);
  if (!stopping_ && present_ <= kMostIdle) {
    return false;
  }
  --present_;
  gone_.notify_all();
  return true;
}

Agent::Crew::Context Agent::Crew::find(std::uint32_t number) const {
  const std::scoped_lock lock(lock_);
  const auto found = listeners_.find(number);
  return found == listeners_.end() ? nullptr : found->second;
}

void Agent::Crew::rearm(std::uint32_t number, const CallContext& context) const {
  epoll_event event = {};
  event.events = kOnce;
  event.data.u32 = number;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, context.listener.get(), &event);
}

void Agent::Crew::remove(std::uint32_t number) {
  const std::scoped_lock lock(lock_);
  const auto found = listeners_.find(number);
  if (found != listeners_.end()) {
    // Closing does not do it as long as somebody else has the listener, too.
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->listener.get(), nullptr);
    listeners_.erase(found);
  }
}

/// One thread's calls from one listener, which is not watched meanwhile: two threads that both saw one
/// notification would leave one of them waiting in SECCOMP_IOCTL_NOTIF_RECV, which has no way not to.
class Agent::Crew::Turn : public Colleagues {
 public:
  Turn(Crew& crew, std::uint32_t number, const CallContext& context)
      : crew_(crew), number_(number), context_(context) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() override { end(); }

  bool leave() override {
    end();
    return crew_.leave();
  }
  void come_back() override { crew_.come_back(); }
  void end() {
    if (!std::exchange(ended_, true)) {
      crew_.rearm(number_, context_);
    }
  }
  [[nodiscard]] bool has_next() const { return !ended_ && crew_.linger(context_.listener.get()); }

 private:
  Crew& crew_;
  std::uint32_t number_;
  const CallContext& context_;
  bool ended_ = false;
};

void Agent::Crew::serve_one(std::uint32_t number, std::uint32_t events, InFlight::Entry& entry) {
  const auto context = find(number);
  if (context == nullptr) {
    return;
  }
  // The last process under the filter is gone.
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    remove(number);
    return;
  }
  Turn turn(*this, number, *context);
  do {
    entry.notification = {};  // the kernel insists on zeroes
    entry.listener = number;
    if (::ioctl(context->listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &entry.notification) == 0) {
      answer(*context, entry.notification, turn);
    }
    entry.listener = 0;
  } while (turn.has_next());
}

void Agent::Crew::work(InFlight::Entry& entry) {
  epoll_event event = {};
  while (!is_dismissed()) {
    // Nothing is wrong with epoll_wait(2) here but a signal; the wake-up has number 0, which no listener
    // has.
    if (::epoll_wait(epoll_.get(), &event, 1, -1) == 1) {
      serve_one(event.data.u32, event.events, entry);
    }
  }
}

Result<std::unique_ptr<Agent>> Agent::start(const NetNs& netns,
                                            std::shared_ptr<InFlight> in_flight) {
  std::unique_ptr<Agent> agent(new Agent(std::make_shared<Crew>(std::move(in_flight))));
  if (auto ok = agent->crew_->open(); !ok) {
    return fail(ok.error());
  }
  const unsigned count = std::clamp(std::thread::hardware_concurrency(), 2U, kMostIdle);
  for (unsigned i = 0; i < count; ++i) {
    if (auto ok = agent->crew_->hire(&netns); !ok) {
      return fail(ok.error());
    }
  }
  return agent;
}

Agent::~Agent() {
  crew_->stop();
}

Result<void> Agent::add(std::uint32_t number, UniqueFd listener, const pb_endpoint& endpoint,
                        Logger log) {
  return crew_->add(number, CallContext{std::move(listener), endpoint, std::move(log)});
}

std::size_t Agent::size() const {
  return crew_->size();
}

}  // namespace particle::bind
