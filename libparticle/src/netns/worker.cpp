// SPDX-License-Identifier: Apache-2.0
#include "netns/worker.hpp"

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <sched.h>

#include "netns/hints.hpp"
#include "netns/nsfs.hpp"

namespace particle::detail {
namespace {

// Only touched pages cost anything; glibc keeps finished stacks of this size for the next thread.
constexpr std::size_t kStackBytes = std::size_t{1} << 20U;

Result<void> call(const Work& work) noexcept try {
  return work();
} catch (const std::system_error& error) {
  Error failure;
  failure.code = error.code();
  failure.operation = error.what();
  return fail(std::move(failure));
} catch (const std::bad_alloc&) {
  return fail(Error::of(Errc::exhausted, "run a function on a worker thread", "free some memory"));
} catch (const std::exception& error) {
  return fail(
      Error::of(Errc::unknown_outcome,
                std::string("run a function on a worker thread: exception: ") + error.what()));
} catch (...) {
  return fail(
      Error::of(Errc::unknown_outcome, "run a function on a worker thread: unknown exception"));
}

/// Blocks every signal until it goes out of scope. A thread inherits its maker's mask, so no signal
/// can arrive on a worker, not even before its first instruction.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t saved_{};
};

}  // namespace

struct Worker::Job {
  Work work;
  Result<void> outcome;
  pthread_t thread{};

  static void* run(void* argument) {
    auto* job = static_cast<Job*>(argument);
    job->outcome = call(job->work);
    return nullptr;
  }

  int start() {
    pthread_attr_t attributes;
    if (const int error = pthread_attr_init(&attributes); error != 0) return error;
    pthread_attr_setstacksize(&attributes, kStackBytes);
    const SignalsBlocked blocked;
    const int error = pthread_create(&thread, &attributes, run, this);
    pthread_attr_destroy(&attributes);
    return error;
  }
};

Worker::Worker(std::unique_ptr<Job> job) : job_(std::move(job)) {}
Worker::Worker(Worker&&) noexcept = default;

Worker& Worker::operator=(Worker&& other) noexcept {
  if (job_) (void)join();
  job_ = std::move(other.job_);
  return *this;
}

Worker::~Worker() {
  if (job_) (void)join();
}

Result<Worker> Worker::start(Work work) {
  auto job = std::make_unique<Job>();
  job->work = std::move(work);
  if (const int error = job->start(); error != 0) {
    return fail(
        Error::from_errno(error, "create a worker thread", "raise RLIMIT_NPROC or pids.max"));
  }
  return Worker(std::move(job));
}

Result<void> Worker::join() {
  const auto job = std::move(job_);
  pthread_join(job->thread, nullptr);
  return std::move(job->outcome);
}

Result<void> run_on_worker(const Work& work) {
  auto worker = Worker::start([&work] { return work(); });
  if (!worker) return fail(std::move(worker.error()));
  return worker->join();
}

Result<void> enter_netns(int netns_fd) {
  if (setns(netns_fd, CLONE_NEWNET) == 0) return {};
  const int error = errno;
  return fail(Error::from_errno(error, "enter a network namespace (setns)",
                                error == EPERM ? kNeedsSysAdmin : ""));
}

Result<void> look_in_netns(int netns_fd, const Work& work) {
  if (!is_current_netns(netns_fd)) return run_in_netns(netns_fd, work);
  const SignalsBlocked blocked;
  return call(work);
}

Result<void> run_in_netns(int netns_fd, const Work& work) {
  return run_on_worker([netns_fd, &work]() -> Result<void> {
    if (auto entered = enter_netns(netns_fd); !entered) return entered;
    return work();
  });
}

}  // namespace particle::detail
