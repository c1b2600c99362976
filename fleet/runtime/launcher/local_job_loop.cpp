// SPDX-License-Identifier: Apache-2.0
// A job's thread: one turn is orders, endpoints, what the backend says, what instances write.
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/local_job.hpp"

namespace particle::fleet {
namespace {

using namespace std::chrono_literals;

/// How soon endpoints are asked for again when the pool had too few.
constexpr auto kLeaseAgain = 20ms;
/// Killed instances are gone within some milliseconds; after this their spawner goes, too.
constexpr auto kKillPatience = 700ms;
/// How long a job keeps endpoints that no instance has.
constexpr auto kIdle = 200ms;
constexpr std::size_t kEventsAtOnce = 256;
/// Of a burst so many are started before the first is heard of.
constexpr std::size_t kBeginAtOnce = 128;

// What an epoll event is about: the backend, a wake-up, or a stream of the instance with this token.
constexpr std::uint64_t kBackend = 0;
constexpr std::uint64_t kWake = 1;
constexpr std::uint64_t kKinds = 4;

std::uint64_t tag_of(std::uint64_t token, Streams::Which which) {
  return token * kKinds + static_cast<std::uint64_t>(which);
}

bool watch(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

/// Beside those of its streams an instance takes so many descriptors while it is started; and so many
/// are kept for everything else.
constexpr std::size_t kEach = 5;
constexpr std::size_t kReserve = 64;

/// Could this process open so many more files? They get the lowest numbers that are free.
bool has_room(std::size_t count) {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return true;
  const std::size_t first = limit.rlim_cur - std::min<std::size_t>(limit.rlim_cur, count);
  const UniqueFd probe(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, static_cast<int>(first)));
  return probe.get() == static_cast<int>(first) || (!probe.valid() && errno == EBADF);
}

std::string shell_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name);
}

}  // namespace

void LocalJob::serve() {
  watch(epoll_.get(), EPOLL_CTL_ADD, parts_.backend->fd(), EPOLLIN, kBackend);
  watch(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), EPOLLIN, kWake);
  while (step()) {
  }
  close_down();
}

bool LocalJob::step() {
  take_orders();
  if (!lost_) fill();
  if (is_over()) return false;
  release_idle();
  watch_backend();
  wait_for_events();
  check_deadlines();
  return true;
}

bool LocalJob::is_over() {
  const std::lock_guard guard(mutex_);
  return (finished_ && queue_.empty() && living_.empty() && incoming_.empty()) || lost_;
}

void LocalJob::take_orders() {
  std::vector<Order> orders;
  std::vector<Queued> incoming;
  bool kill = false;
  {
    const std::lock_guard guard(mutex_);
    orders.swap(orders_);
    incoming.swap(incoming_);
    kill = kill_;
  }
  for (Queued& one : incoming) {
    tell(one.spec, one.attempt, Phase::queued, one.since, nullptr);
    queue_.push_back(std::move(one));
  }
  for (const Order& order : orders) obey(order);
  if (kill) begin_killing();
}

void LocalJob::obey(const Order& order) {
  const auto found = living_.find(order.token);
  if (found == living_.end()) return;
  auto& [token, living] = *found;
  switch (order.what) {
    case Order::What::send:
      living.streams.send(order.bytes);
      break;
    case Order::What::close:
      living.streams.close_input();
      break;
    case Order::What::signal:
      living.asked_to_end = living.asked_to_end || order.number == SIGKILL;
      parts_.backend->signal(token, order.number);
      return;
  }
  if (living.streams.has_waiting()) {
    // Already watched: EEXIST, which is as good.
    watch(epoll_.get(), EPOLL_CTL_ADD, living.streams.fd(Streams::Which::input), EPOLLOUT,
          tag_of(token, Streams::Which::input));
  }
}

void LocalJob::begin_killing() {
  drop_queue();
  if (killing_) return;
  killing_ = true;
  killing_until_ = Clock::now() + kKillPatience;
  parts_.backend->kill_all();
}

void LocalJob::drop_queue() {
  const auto now = std::chrono::system_clock::now();
  for (const Queued& one : queue_) {
    tell_done(one.spec, one.attempt, nullptr, now, Ended::killed, 0, "the job was killed");
  }
  queue_.clear();
}

/// Starts as many of the queued as there is room and endpoints for.
void LocalJob::fill() {
  if (queue_.empty() || killing_) return;
  if (try_again_ && Clock::now() < *try_again_) return;
  try_again_.reset();
  const std::uint64_t limit = parts_.spec.concurrency;
  const std::uint64_t room =
      limit == 0 ? queue_.size() : limit - std::min<std::uint64_t>(limit, living_.size());
  const std::uint64_t wanted = std::min<std::uint64_t>(
      room, static_cast<std::uint64_t>(std::count_if(
                queue_.begin(), queue_.end(), [](const Queued& q) { return !q.spec.address; })));
  lease_named();
  Result<std::vector<Lease>> leases = stock_.take(wanted);
  if (!leases) return lose(leases.error());
  std::vector<Begin> batch;
  std::deque<Queued> left;
  std::uint64_t begun = 0;
  const auto flush = [&] {
    if (batch.empty()) return;
    parts_.backend->begin(std::move(batch));
    batch.clear();
    pump();
  };
  starved_ = false;
  while (!queue_.empty() && !lost_ && !starved_) {
    Queued queued = std::move(queue_.front());
    queue_.pop_front();
    std::optional<Lease> lease = begun < room ? find_lease(queued, *leases) : std::nullopt;
    if (!lease) {
      if (!queued.over && begun < room && !std::exchange(queued.waits, true)) {
        tell(queued.spec, queued.attempt, Phase::queued, std::chrono::system_clock::now(), nullptr,
             "waits for an endpoint: pool " + parts_.spec.pool + " has none free");
      }
      if (!queued.over) left.push_back(std::move(queued));
      continue;
    }
    begun += begin(std::move(queued), *std::move(lease), batch) ? 1U : 0U;
    if (batch.size() == kBeginAtOnce) flush();
  }
  flush();
  for (Lease& unused : *leases) stock_.put_back(std::move(unused), false);
  requeue(std::move(left));
  if (!queue_.empty() && begun < room && (starved_ || !stock_.has_free())) {
    try_again_ = Clock::now() + kLeaseAgain;
  }
}

/// Those that waited come before what pump() heard of in between: attempts to be made again.
void LocalJob::requeue(std::deque<Queued> left) {
  for (Queued& one : queue_) left.push_back(std::move(one));
  queue_ = std::move(left);
  if (lost_) lose(*lost_);
}

/// First, or one that takes any would get what another one names.
void LocalJob::lease_named() {
  for (Queued& queued : queue_) {
    if (!queued.spec.address || queued.lease) continue;
    Result<std::optional<Lease>> lease = stock_.take_address(*queued.spec.address);
    if (lease) {
      queued.lease = *std::move(lease);
      continue;
    }
    queued.over = true;
    tell_done(queued.spec, queued.attempt, nullptr, std::chrono::system_clock::now(),
              Ended::refused, 0, lease.error().message());
  }
  std::erase_if(queue_, [](const Queued& queued) { return queued.over; });
}

std::optional<Lease> LocalJob::find_lease(Queued& queued, std::vector<Lease>& leases) {
  if (queued.lease) return std::exchange(queued.lease, {});
  if (!queued.spec.address && !leases.empty()) {
    Lease lease = std::move(leases.back());
    leases.pop_back();
    return lease;
  }
  return std::nullopt;
}

bool LocalJob::begin(Queued queued, Lease lease, std::vector<Begin>& out) {
  const std::uint64_t token = next_token_++;
  if (!living_.empty() && !has_room(kReserve + kEach * out.size())) {
    // Descriptors come free as others end.
    stock_.put_back(std::move(lease), false);
    queue_.push_back(std::move(queued));
    starved_ = true;
    return false;
  }
  Streams::Ends ends;
  Result<Streams> streams = Streams::open(queued.spec.input, queued.spec.keep_input, ends);
  if (!streams) {
    tell_done(queued.spec, queued.attempt, &lease, std::chrono::system_clock::now(), Ended::refused,
              0, streams.error().message());
    stock_.put_back(std::move(lease), false);
    return false;
  }
  tell(queued.spec, queued.attempt, Phase::leased, std::chrono::system_clock::now(), &lease,
       parts_.enforcement);
  Begin one = describe(queued, lease, token);
  one.input = std::move(ends.input);
  one.output = std::move(ends.output);
  one.error = std::move(ends.error);
  const bool more = queued.spec.keep_input;
  Living living{std::move(queued.spec),
                queued.attempt,
                std::move(lease),
                *std::move(streams),
                false,
                false,
                {}};
  if (living.streams.has_waiting()) {
    watch(epoll_.get(), EPOLL_CTL_ADD, living.streams.fd(Streams::Which::input), EPOLLOUT,
          tag_of(token, Streams::Which::input));
  }
  {
    const std::lock_guard guard(mutex_);
    known_[living.spec.index] = {token, more};
  }
  living_.emplace(token, std::move(living));
  out.push_back(std::move(one));
  return true;
}

void LocalJob::pump() {
  const Result<std::vector<Progress>> all = parts_.backend->pump();
  if (!all) return lose(all.error());
  for (const Progress& one : *all) hear(one);
}

void LocalJob::hear(const Progress& progress) {
  const auto found = living_.find(progress.token);
  if (found == living_.end()) return;
  Living& living = found->second;
  switch (progress.what) {
    case Progress::What::created:
      tell(living.spec, living.attempt, Phase::created, progress.at, &living.lease);
      return;
    case Progress::What::started: {
      tell(living.spec, living.attempt, Phase::started, progress.at, &living.lease);
      // Not before: what an instance writes may be here before the word that it has started.
      for (const auto which : {Streams::Which::output, Streams::Which::error}) {
        watch(epoll_.get(), EPOLL_CTL_ADD, living.streams.fd(which), EPOLLIN,
              tag_of(progress.token, which));
      }
      const auto limit = parts_.spec.function.limits.wall_time;
      if (limit.count() > 0) {
        living.deadline = Clock::now() + limit;
        deadlines_.emplace(*living.deadline, progress.token);
      }
      return;
    }
    case Progress::What::ended:
    case Progress::What::refused:
      end(progress.token, progress);
      return;
  }
}

namespace {

struct Verdict {
  Ended ended = Ended::failed;
  int status = 0;
  std::string detail;
};

Verdict verdict_on(const Progress& progress, bool killed, bool timed_out) {
  if (progress.what == Progress::What::refused) return {Ended::refused, 0, progress.text};
  const int number = WIFSIGNALED(progress.value) ? WTERMSIG(progress.value) : 0;
  const int status = number != 0 ? number : WEXITSTATUS(progress.value);
  if (timed_out) return {Ended::timed_out, status, "its wall time was over"};
  if (progress.out_of_memory && progress.value != 0) {
    return {Ended::out_of_memory, status, "it needed more memory than its limit"};
  }
  if (killed) return {Ended::killed, status, "it was killed, as asked for"};
  if (number != 0) return {Ended::signalled, number, shell_name(number)};
  if (status != 0) return {Ended::failed, status, "exit status " + std::to_string(status)};
  return {Ended::ok, 0, {}};
}

bool may_be_retried(Ended ended) {
  return ended == Ended::failed || ended == Ended::signalled || ended == Ended::timed_out ||
         ended == Ended::out_of_memory;
}

}  // namespace

void LocalJob::end(std::uint64_t token, const Progress& progress) {
  Living living = std::move(living_.at(token));
  living_.erase(token);
  {
    const std::lock_guard guard(mutex_);
    known_.erase(living.spec.index);
  }
  living.streams.drain([&](Stream stream, std::string_view bytes) {
    observer_.on_output(living.spec.index, stream, bytes);
  });
  const bool killed = living.asked_to_end || (killing_ && progress.value != 0);
  const Verdict verdict = verdict_on(progress, killed, living.timed_out);
  tell_done(living.spec, living.attempt, &living.lease, progress.at, verdict.ended, verdict.status,
            verdict.detail);
  if (may_be_retried(verdict.ended) && living.attempt < parts_.spec.function.retries && !killing_) {
    retry(living);
  }
  stock_.put_back(std::move(living.lease), true);
  try_again_.reset();
}

void LocalJob::retry(const Living& living) {
  const auto now = std::chrono::system_clock::now();
  queue_.push_back({living.spec, living.attempt + 1, now, false, false});
  tell(living.spec, living.attempt + 1, Phase::queued, now, nullptr,
       "attempt " + std::to_string(living.attempt + 2) + " of " +
           std::to_string(parts_.spec.function.retries + 1));
}

void LocalJob::watch_backend() {
  if (lost_ || parts_.backend->wants_to_write() == backend_writes_) return;
  backend_writes_ = !backend_writes_;
  watch(epoll_.get(), EPOLL_CTL_MOD, parts_.backend->fd(),
        backend_writes_ ? EPOLLIN | EPOLLOUT : EPOLLIN, kBackend);
}

/// Endpoints that no instance has had for a while are for other jobs. Not at once: the next instance
/// often comes right after.
void LocalJob::release_idle() {
  if (!queue_.empty() || !stock_.has_free()) {
    idle_since_.reset();
    return;
  }
  const auto now = Clock::now();
  if (!idle_since_) idle_since_ = now;
  if (now - *idle_since_ < kIdle) return;
  idle_since_.reset();
  // What cannot be given back now is given back at the job's end.
  static_cast<void>(stock_.release_free());
}

int LocalJob::patience() const {
  auto next = Clock::time_point::max();
  if (!deadlines_.empty()) next = deadlines_.begin()->first;
  if (try_again_) next = std::min(next, *try_again_);
  if (killing_until_) next = std::min(next, *killing_until_);
  if (idle_since_) next = std::min(next, *idle_since_ + kIdle);
  if (next == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60000));
}

void LocalJob::wait_for_events() {
  std::array<epoll_event, kEventsAtOnce> events{};
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), patience());
  for (int i = 0; i < count; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    if (tag == kBackend) {
      if (!lost_) pump();
    } else if (tag == kWake) {
      std::uint64_t ignored = 0;
      static_cast<void>(!::read(wake_.get(), &ignored, sizeof(ignored)));
    } else {
      read_streams(tag / kKinds, static_cast<Streams::Which>(tag % kKinds));
    }
  }
}

void LocalJob::read_streams(std::uint64_t token, Streams::Which which) {
  const auto found = living_.find(token);
  if (found == living_.end()) return;
  Living& living = found->second;
  if (which != Streams::Which::input) {
    living.streams.read(which, [&](Stream stream, std::string_view bytes) {
      observer_.on_output(living.spec.index, stream, bytes);
    });
    return;
  }
  living.streams.write();
  const int fd = living.streams.fd(which);
  if (fd >= 0 && !living.streams.has_waiting()) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
}

void LocalJob::check_deadlines() {
  const auto now = Clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::uint64_t token = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    const auto found = living_.find(token);
    if (found == living_.end()) continue;
    found->second.timed_out = true;
    parts_.backend->signal(token, SIGKILL);
  }
  if (killing_until_ && *killing_until_ <= now) {
    killing_until_.reset();
    parts_.backend->kill_hard();
  }
}

/// The backend is gone, and all instances with it; or the pool is.
void LocalJob::lose(const Error& error) {
  const auto now = std::chrono::system_clock::now();
  const Ended how = killing_ ? Ended::killed : Ended::lost;
  for (auto& [token, living] : living_) {
    living.streams.drain([&, index = living.spec.index](Stream stream, std::string_view bytes) {
      observer_.on_output(index, stream, bytes);
    });
    tell_done(living.spec, living.attempt, &living.lease, now, how, SIGKILL, error.message());
  }
  for (const Queued& one : queue_) {
    tell_done(one.spec, one.attempt, nullptr, now, how, 0, error.message());
  }
  living_.clear();
  queue_.clear();
  const std::lock_guard guard(mutex_);
  known_.clear();
  if (!killing_ && !lost_) lost_ = error;
  finished_ = true;
}

void LocalJob::close_down() {
  parts_.backend.reset();
  const Result<void> released = stock_.release_all();
  {
    const JobPlace ended = std::move(parts_.place);
  }
  if (lost_) observer_.on_lost(*lost_);
  const std::lock_guard guard(mutex_);
  if (!released && !lost_) lost_ = released.error();
  ended_ = true;
  over_.notify_all();
}

Begin LocalJob::describe(const Queued& queued, const Lease& lease, std::uint64_t token) const {
  const Function& function = parts_.spec.function;
  Begin one;
  one.token = token;
  one.lease = lease;
  one.command = function.command.empty() ? parts_.image.command : function.command;
  if (!queued.spec.command.empty()) one.command = queued.spec.command;
  one.hostname = (parts_.spec.id + "-" + std::to_string(queued.spec.index)).substr(0, 63);
  one.hosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  std::vector<std::string>& words = one.environment;
  words = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
           "HOSTNAME=" + one.hostname};
  const auto add = [&words](const std::vector<std::string>& more) {
    for (const std::string& word : more) {
      const std::string name = word.substr(0, word.find('=') + 1);
      std::erase_if(words, [&](const std::string& old) { return old.starts_with(name); });
      words.push_back(word);
    }
  };
  add(parts_.image.environment);
  add(function.environment);
  add(queued.spec.environment);
  std::vector<std::string> own = {"PARTICLE_POOL=" + lease.pool, "PARTICLE_HOLDER=" + lease.holder,
                                  "PARTICLE_JOB=" + parts_.spec.id,
                                  "PARTICLE_INSTANCE=" + std::to_string(queued.spec.index),
                                  "PARTICLE_ATTEMPT=" + std::to_string(queued.attempt)};
  for (const auto& [name, address] : {std::pair("PARTICLE_IP=", lease.endpoint.v4),
                                      std::pair("PARTICLE_IP6=", lease.endpoint.v6)}) {
    if (!address) continue;
    own.push_back(name + address->to_string());
    one.hosts += address->to_string() + "\t" + one.hostname + "\n";
  }
  add(own);
  return one;
}

}  // namespace particle::fleet
