// SPDX-License-Identifier: Apache-2.0
#include <particle_sprocket/local_job.hpp>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>
#include <utility>

#include "local/process.hpp"

namespace particle::sprocket {
namespace {

using fleet::Ended;
using fleet::Event;
using fleet::InstanceSpec;
using fleet::Phase;
using fleet::Stream;
using Clock = std::chrono::steady_clock;

/// One that runs. Used by the job's thread alone, but for `pending` and `input_ends`.
struct Running {
  LocalProcess process;
  std::string pending;      ///< to be written to its standard input
  bool input_ends = false;  ///< after that
  bool killed = false;
  bool timed_out = false;
  Clock::time_point started;
};

/// One thread starts the processes, moves their bytes and reaps them: they die with the thread that
/// started them.
class LocalJob final : public fleet::RunningJob {
 public:
  LocalJob(fleet::JobSpec job, fleet::JobObserver& observer, UniqueFd wake)
      : job_(std::move(job)),
        observer_(observer),
        wake_(std::move(wake)),
        thread_([this] { run(); }) {}
  LocalJob(const LocalJob&) = delete;
  LocalJob& operator=(const LocalJob&) = delete;
  ~LocalJob() override {
    kill();
    (void)finish();
    thread_.join();
  }

  Result<void> add(std::vector<InstanceSpec> instances) override {
    const std::lock_guard lock(mutex_);
    if (finishing_) return fail(Error::of(Errc::invalid_argument, "job " + job_.id + ": finished"));
    for (const InstanceSpec& each : instances) {
      if (known_.contains(each.index)) {
        return fail(Error::of(Errc::already_exists, "instance " + std::to_string(each.index)));
      }
      if (each.node && *each.node != kNode) {
        return fail(
            Error::of(Errc::not_found, "node " + *each.node, "plain processes have no nodes"));
      }
    }
    for (InstanceSpec& each : instances) {
      known_.insert(each.index);
      queue_.push_back(std::move(each));
    }
    wake();
    return {};
  }

  Result<void> send(std::uint64_t instance, std::string_view bytes) override {
    return change(instance, [&](Running& running) -> Result<void> {
      if (running.input_ends) return fail(no_such(instance));
      running.pending += bytes;
      return {};
    });
  }
  Result<void> close_input(std::uint64_t instance) override {
    return change(instance, [](Running& running) -> Result<void> {
      running.input_ends = true;
      return {};
    });
  }
  Result<void> signal(std::uint64_t instance, int number) override {
    return change(instance, [&](Running& running) -> Result<void> {
      running.killed = running.killed || number == SIGKILL;
      running.process.signal(number);
      return {};
    });
  }
  Result<void> finish() override {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    wake();
    return {};
  }
  void kill() override {
    const std::lock_guard lock(mutex_);
    killing_ = true;
    wake();
  }
  Result<void> wait() override {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return over_; });
    return {};
  }

 private:
  static constexpr const char* kNode = "local";

  static Error no_such(std::uint64_t instance) {
    return Error::of(Errc::not_found, "instance " + std::to_string(instance));
  }
  void wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }
  template <class Change>
  Result<void> change(std::uint64_t instance, Change what) {
    const std::lock_guard lock(mutex_);
    if (const auto found = running_.find(instance); found != running_.end()) {
      auto done = what(found->second);
      wake();
      return done;
    }
    return fail(no_such(instance));
  }

  void emit(std::uint64_t instance, Phase phase, std::optional<Ended> ended = {}, int status = 0,
            std::string detail = {}) {
    Event event{.job = job_.id,
                .instance = instance,
                .node = kNode,
                .phase = phase,
                .at = std::chrono::system_clock::now(),
                .detail = std::move(detail)};
    event.ended = ended;
    event.status = status;
    observer_.on_event(event);
  }

  // --- The job's thread; no lock is held while the observer is called --------------------------

  void run() {
    // A process that dies before it has read all is no reason for this one to die.
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (true) {
      start_queued();
      if (is_over()) break;
      move_bytes();
      reap();
      enforce();
    }
    const std::lock_guard lock(mutex_);
    over_ = true;
    ended_.notify_all();
  }

  bool is_over() {
    const std::lock_guard lock(mutex_);
    return finishing_ && running_.empty() && queue_.empty();
  }

  void start_queued() {
    while (true) {
      std::unique_lock lock(mutex_);
      const bool full = job_.concurrency != 0 && running_.size() >= job_.concurrency;
      if (queue_.empty() || (full && !killing_)) return;
      InstanceSpec spec = std::move(queue_.front());
      queue_.pop_front();
      const bool killing = killing_;
      lock.unlock();
      emit(spec.index, Phase::queued);
      if (killing) {
        emit(spec.index, Phase::done, Ended::killed);
      } else {
        start_one(std::move(spec));
      }
    }
  }

  void start_one(InstanceSpec spec) {
    const std::uint64_t index = spec.index;
    std::vector<std::string> environment = job_.function.environment;
    environment.emplace_back("PARTICLE_IP=127.0.0.1");
    environment.insert(environment.end(), spec.environment.begin(), spec.environment.end());
    auto process =
        start_process(spec.command.empty() ? job_.function.command : spec.command, environment);
    if (!process) return emit(index, Phase::done, Ended::refused, 0, process.error().message());
    {
      const std::lock_guard lock(mutex_);
      Running& running = running_[index];
      running.process = std::move(*process);
      running.pending = std::move(spec.input);
      running.input_ends = !spec.keep_input;
      running.started = Clock::now();
    }
    emit(index, Phase::created);
    emit(index, Phase::started);
  }

  /// What poll() shall watch, and whose it is.
  struct Watched {
    std::vector<pollfd> fds;
    std::vector<std::pair<std::uint64_t, int>> whose;  ///< instance, standard descriptor
  };

  Watched watched() {
    Watched out;
    out.fds.push_back({wake_.get(), POLLIN, 0});
    out.whose.emplace_back(0, -1);
    const std::lock_guard lock(mutex_);
    for (auto& [index, running] : running_) {
      const auto add = [&, number = index](const UniqueFd& fd, short events, int standard) {
        if (!fd.valid()) return;
        out.fds.push_back({fd.get(), events, 0});
        out.whose.emplace_back(number, standard);
      };
      if (running.pending.empty() && running.input_ends) running.process.input.reset();
      if (!running.pending.empty()) add(running.process.input, POLLOUT, STDIN_FILENO);
      add(running.process.output, POLLIN, STDOUT_FILENO);
      add(running.process.error, POLLIN, STDERR_FILENO);
      add(running.process.handle, POLLIN, 3);
    }
    return out;
  }

  void move_bytes() {
    Watched watched_now = watched();
    constexpr int kLongest = 200;  // then time limits are looked at
    ::poll(watched_now.fds.data(), watched_now.fds.size(), kLongest);
    if (watched_now.fds.front().revents != 0) {
      std::uint64_t count = 0;
      (void)!::read(wake_.get(), &count, sizeof count);
    }
    for (std::size_t i = 1; i < watched_now.fds.size(); ++i) {
      if (watched_now.fds[i].revents == 0) continue;
      const auto [index, standard] = watched_now.whose[i];
      if (standard == STDIN_FILENO) {
        write_to(index);
      } else if (standard == STDOUT_FILENO) {
        read_from(index, Stream::output);
      } else if (standard == STDERR_FILENO) {
        read_from(index, Stream::error);
      }
    }
  }

  void write_to(std::uint64_t index) {
    const std::lock_guard lock(mutex_);
    Running& running = running_.at(index);
    const ssize_t written =
        ::write(running.process.input.get(), running.pending.data(), running.pending.size());
    if (written >= 0) {
      running.pending.erase(0, static_cast<std::size_t>(written));
    } else if (errno != EAGAIN && errno != EINTR) {
      running.pending.clear();  // it does not read any more
      running.input_ends = true;
      running.process.input.reset();
    }
  }

  /// Returns whether there may be more.
  bool read_from(std::uint64_t index, Stream stream) {
    char buffer[1 << 16];
    ssize_t got = 0;
    {
      const std::lock_guard lock(mutex_);
      LocalProcess& process = running_.at(index).process;
      UniqueFd& fd = stream == Stream::output ? process.output : process.error;
      if (!fd.valid()) return false;
      got = ::read(fd.get(), buffer, sizeof buffer);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) fd.reset();
    }
    if (got <= 0) return false;
    observer_.on_output(index, stream, {buffer, static_cast<std::size_t>(got)});
    return true;
  }

  void reap() {
    std::vector<std::pair<std::uint64_t, siginfo_t>> dead;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [index, running] : running_) {
        siginfo_t info{};
        if (::waitid(P_PIDFD, static_cast<id_t>(running.process.handle.get()), &info,
                     WEXITED | WNOHANG | WNOWAIT) == 0 &&
            info.si_pid != 0) {
          dead.emplace_back(index, info);
        }
      }
    }
    for (const auto& [index, info] : dead) bury(index, info);
  }

  void bury(std::uint64_t index, const siginfo_t& info) {
    while (read_from(index, Stream::output)) {
    }
    while (read_from(index, Stream::error)) {
    }
    Running running;
    {
      const std::lock_guard lock(mutex_);
      // Before it is reaped, while its number is still its own: whoever is left of its group.
      running_.at(index).process.signal(SIGKILL);
      siginfo_t again{};
      ::waitid(P_PIDFD, static_cast<id_t>(running_.at(index).process.handle.get()), &again,
               WEXITED);
      running = std::move(running_.at(index));
      running_.erase(index);
    }
    Ended ended = Ended::ok;
    if (running.timed_out) {
      ended = Ended::timed_out;
    } else if (info.si_code != CLD_EXITED) {
      ended = running.killed ? Ended::killed : Ended::signalled;
    } else if (info.si_status != 0) {
      ended = Ended::failed;
    }
    emit(index, Phase::done, ended, info.si_status);
  }

  void enforce() {
    const std::lock_guard lock(mutex_);
    const auto limit = job_.function.limits.wall_time;
    for (auto& [index, running] : running_) {
      const bool late = limit.count() != 0 && Clock::now() - running.started > limit;
      if ((!late && !killing_) || running.killed) continue;
      running.killed = true;
      running.timed_out = late;
      running.process.signal(SIGKILL);
    }
  }

  const fleet::JobSpec job_;
  fleet::JobObserver& observer_;
  UniqueFd wake_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::deque<InstanceSpec> queue_;
  std::set<std::uint64_t> known_;
  std::map<std::uint64_t, Running> running_;
  bool finishing_ = false;
  bool killing_ = false;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<fleet::RunningJob>> start_local_job(const fleet::JobSpec& job,
                                                           fleet::JobObserver& observer) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return fail(Error::from_errno(errno, "eventfd"));
  return std::make_unique<LocalJob>(job, observer, std::move(wake));
}

}  // namespace particle::sprocket
