// SPDX-License-Identifier: Apache-2.0
#include "fleet/runner.hpp"

#include <cerrno>
#include <future>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>
#include <particle_fleet/timeline.hpp>

#include "exit_codes.hpp"
#include "fleet/agent_sockets.hpp"
#include "fleet/run_fleet.hpp"
#include "log.hpp"
#include "node_access.hpp"

namespace particle::cli {
namespace {

constexpr int kLook = 100;  // ms

Result<std::optional<std::ofstream>> open_file(const std::optional<std::string>& path) {
  if (!path) return std::optional<std::ofstream>();
  errno = 0;
  std::ofstream file(*path, std::ios::binary);
  if (!file) return fail(Error::from_errno(errno, "open " + *path));
  return std::optional(std::move(file));
}

}  // namespace

Result<Runner> Runner::open(const Context& context, const FleetRunRequest& request) {
  Runner runner;
  auto node = open_node(context);
  if (!node) return fail(std::move(node.error()));
  if (!request.here) {
    auto client = fleet::Client::connect(request.agent.value_or(agent_socket(*node)));
    if (client) {
      runner.client_ = std::move(*client);
      return runner;
    }
    if (request.agent || client.error().kind() != Errc::not_found) {
      return fail(std::move(client.error()));
    }
    log_info("no agent runs here: the job runs on this node");
  }
  auto launcher = fleet::Launcher::open(std::move(*node), request.launcher);
  if (!launcher) return fail(std::move(launcher.error()));
  runner.launcher_ = std::move(*launcher);
  return runner;
}

Result<std::unique_ptr<fleet::RunningJob>> Runner::start(const fleet::JobSpec& job,
                                                         fleet::JobObserver& observer) {
  return client_ ? client_->start(job, observer) : launcher_->start(job, observer);
}

Result<EventFiles> EventFiles::open(const FleetRunRequest& request) {
  EventFiles files;
  auto events = open_file(request.events);
  if (!events) return fail(std::move(events.error()));
  auto timeline = open_file(request.timeline);
  if (!timeline) return fail(std::move(timeline.error()));
  files.events_ = std::move(*events);
  files.timeline_ = std::move(*timeline);
  files.events_path_ = request.events.value_or("");
  files.timeline_path_ = request.timeline.value_or("");
  return files;
}

Result<void> EventFiles::write(const std::vector<fleet::Event>& events) {
  if (events_) {
    for (const fleet::Event& event : events) *events_ << fleet::to_json_line(event) << "\n";
    if (!events_->flush()) return fail(Error::of(Errc::io, "write " + events_path_));
  }
  if (timeline_) {
    *timeline_ << fleet::draw_timeline(events);
    if (!timeline_->flush()) return fail(Error::of(Errc::io, "write " + timeline_path_));
  }
  return {};
}

Waited wait_for_end(const std::function<Result<void>()>& wait, const std::function<void()>& kill,
                    const std::function<void(Progress&)>& draw, overlay::Signals& signals) {
  const UniqueFd ended(::eventfd(0, EFD_CLOEXEC));
  auto waiting = std::async(std::launch::async, [&] {
    Result<void> result = wait();
    static_cast<void>(::eventfd_write(ended.get(), 1));
    return result;
  });
  Progress progress;
  Waited out;
  while (true) {
    pollfd events[] = {{signals.fd(), POLLIN, 0}, {ended.get(), POLLIN, 0}};
    ::poll(events, 2, kLook);
    if (signals.take().stop) {
      if (out.interrupted) ::_exit(kExitInterrupted);  // asked twice
      out.interrupted = true;
      kill();
    }
    if (events[1].revents != 0) break;
    draw(progress);
  }
  out.ended = waiting.get();
  return out;
}

}  // namespace particle::cli
