// SPDX-License-Identifier: Apache-2.0
// What callers call, and what becomes of instances. The thread's loop is in local_job_loop.cpp.
#include "launcher/local_job.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "model/check.hpp"

namespace particle::fleet {

LocalJob::LocalJob(LocalJobParts parts, JobObserver& observer)
    : parts_(std::move(parts)),
      observer_(observer),
      stock_(*parts_.node, parts_.spec.pool, holder_of(parts_.spec.id), parts_.backend->process()) {
}

LocalJob::~LocalJob() {
  if (!thread_.joinable()) return;
  kill();
  static_cast<void>(finish());
  thread_.join();
}

Result<void> LocalJob::run() {
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.valid() || !wake_.valid()) {
    return fail(Error::from_errno(errno, "prepare to wait", "raise the limit: ulimit -n"));
  }
  thread_ = std::thread([this] { serve(); });
  return {};
}

void LocalJob::wake() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof(one)));
}

Result<void> LocalJob::add(std::vector<InstanceSpec> instances) {
  if (auto ok = check_instances(instances); !ok) return ok;
  const auto now = std::chrono::system_clock::now();
  {
    const std::lock_guard guard(mutex_);
    if (finished_ || kill_) {
      return fail(Error::of(Errc::busy, "add instances to job " + parts_.spec.id,
                            "it was finished or killed"));
    }
    for (const InstanceSpec& one : instances) {
      if (used_.contains(one.index)) {
        return fail(Error::of(Errc::already_exists, "add instance " + std::to_string(one.index) +
                                                        " to job " + parts_.spec.id));
      }
      if (one.node && *one.node != parts_.node_name) {
        return fail(
            Error::of(Errc::not_found,
                      "place instance " + std::to_string(one.index) + " on node " + *one.node,
                      "this launcher is of node " + parts_.node_name));
      }
      if (one.command.empty() && parts_.spec.function.command.empty() &&
          parts_.image.command.empty()) {
        return fail(Error::of(Errc::invalid_argument, "add instance " + std::to_string(one.index),
                              "it has no command"));
      }
    }
    for (InstanceSpec& one : instances) {
      used_.insert(one.index);
      incoming_.push_back({std::move(one), 0, now, false, false});
    }
  }
  wake();
  return {};
}

Result<void> LocalJob::send(std::uint64_t instance, std::string_view bytes) {
  {
    const std::lock_guard guard(mutex_);
    const auto known = known_.find(instance);
    if (known == known_.end() || !known->second.input_open) {
      return fail(Error::of(Errc::not_found, "send to instance " + std::to_string(instance),
                            "it does not run, or its input has ended"));
    }
    orders_.push_back({Order::What::send, known->second.token, std::string(bytes), 0});
  }
  wake();
  return {};
}

Result<void> LocalJob::close_input(std::uint64_t instance) {
  {
    const std::lock_guard guard(mutex_);
    const auto known = known_.find(instance);
    if (known == known_.end() || !known->second.input_open) {
      return fail(Error::of(Errc::not_found,
                            "end the input of instance " + std::to_string(instance),
                            "it does not run, or its input has ended"));
    }
    known->second.input_open = false;
    orders_.push_back({Order::What::close, known->second.token, {}, 0});
  }
  wake();
  return {};
}

Result<void> LocalJob::signal(std::uint64_t instance, int number) {
  if (number < 1 || number > SIGRTMAX) {
    return fail(Error::of(Errc::invalid_argument, "send signal " + std::to_string(number)));
  }
  {
    const std::lock_guard guard(mutex_);
    const auto known = known_.find(instance);
    if (known == known_.end()) {
      return fail(Error::of(Errc::not_found, "signal instance " + std::to_string(instance),
                            "it does not run"));
    }
    orders_.push_back({Order::What::signal, known->second.token, {}, number});
  }
  wake();
  return {};
}

Result<void> LocalJob::finish() {
  {
    const std::lock_guard guard(mutex_);
    finished_ = true;
  }
  wake();
  return {};
}

void LocalJob::kill() {
  {
    const std::lock_guard guard(mutex_);
    kill_ = true;
    finished_ = true;
  }
  wake();
}

Result<void> LocalJob::wait() {
  std::unique_lock guard(mutex_);
  over_.wait(guard, [this] { return ended_; });
  return lost_ ? fail(*lost_) : Result<void>{};
}

void LocalJob::tell(const InstanceSpec& spec, std::uint32_t attempt, Phase phase, Time at,
                    const Lease* lease, std::string detail) {
  Event event;
  event.job = parts_.spec.id;
  event.instance = spec.index;
  event.attempt = attempt;
  event.node = parts_.node_name;
  event.phase = phase;
  event.at = at;
  if (lease != nullptr) event.endpoint = lease->endpoint;
  event.detail = std::move(detail);
  observer_.on_event(event);
}

void LocalJob::tell_done(const InstanceSpec& spec, std::uint32_t attempt, const Lease* lease,
                         Time at, Ended ended, int status, std::string detail) {
  Event event;
  event.job = parts_.spec.id;
  event.instance = spec.index;
  event.attempt = attempt;
  event.node = parts_.node_name;
  event.phase = Phase::done;
  event.at = at;
  if (lease != nullptr) event.endpoint = lease->endpoint;
  event.ended = ended;
  event.status = status;
  event.detail = std::move(detail);
  observer_.on_event(event);
}

}  // namespace particle::fleet
