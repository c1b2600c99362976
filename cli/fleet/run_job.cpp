// SPDX-License-Identifier: Apache-2.0
// `fleet run`.
#include <cerrno>
#include <chrono>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle/unique_fd.hpp>
#include <particle_fleet/client.hpp>
#include <particle_fleet/timeline.hpp>

#include "exit_codes.hpp"
#include "fleet/job_watch.hpp"
#include "fleet/run_fleet.hpp"
#include "log.hpp"
#include "node_access.hpp"
#include "output.hpp"
#include "overlay-adapters/agent/signals.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

using fleet::InstanceSpec;
using fleet::RunningJob;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostInput = 8U << 20;
constexpr int kLook = 100;  // ms

Result<std::string> read_input(const std::string& path) {
  std::ostringstream out;
  errno = 0;
  if (path == "-") {
    out << std::cin.rdbuf();
  } else {
    const std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Error::from_errno(errno, "open " + path));
    out << file.rdbuf();
  }
  std::string text = out.str();
  if (text.size() > kMostInput) {
    return fail(Error::of(Errc::invalid_argument, "input " + path + " is over 8 MiB",
                          "put it into a file and show it to the instances with --mount"));
  }
  return text;
}

Result<std::vector<InstanceSpec>> make_instances(const FleetRunRequest& request) {
  std::vector<InstanceSpec> instances;
  const auto source = request.inputs ? request.inputs : request.input;
  std::string text;
  if (source) {
    auto read = read_input(*source);
    if (!read) return fail(std::move(read.error()));
    text = std::move(*read);
  }
  const auto add = [&](std::string input) {
    InstanceSpec instance;
    instance.index = instances.size();
    instance.input = std::move(input);
    instances.push_back(std::move(instance));
  };
  if (request.inputs) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) add(line + "\n");
    if (instances.empty()) {
      return fail(
          Error::of(Errc::invalid_argument, "--inputs " + *request.inputs + " has no line"));
    }
    return instances;
  }
  for (std::uint64_t i = 0; i < request.count; ++i) add(text);
  return instances;
}

/// Whoever runs the job has to outlive it.
struct Runner {
  std::optional<fleet::Client> client;
  std::optional<fleet::Launcher> launcher;

  Result<std::unique_ptr<RunningJob>> start(const fleet::JobSpec& job,
                                            fleet::JobObserver& observer) {
    return client ? client->start(job, observer) : launcher->start(job, observer);
  }
};

Result<Runner> open_runner(const Context& context, const FleetRunRequest& request) {
  Runner runner;
  auto node = open_node(context);
  if (!node) return fail(std::move(node.error()));
  if (!request.here) {
    auto client = fleet::Client::connect(request.agent.value_or(agent_socket(*node)));
    if (client) {
      runner.client = std::move(*client);
      return runner;
    }
    if (request.agent || client.error().kind() != Errc::not_found) {
      return fail(std::move(client.error()));
    }
    log_info("no agent runs here: the job runs on this node");
  }
  auto launcher = fleet::Launcher::open(std::move(*node), request.launcher);
  if (!launcher) return fail(std::move(launcher.error()));
  runner.launcher = std::move(*launcher);
  return runner;
}

/// Files are opened before anything starts: a job whose results cannot be kept does not begin.
Result<std::optional<std::ofstream>> open_file(const std::optional<std::string>& path) {
  if (!path) return std::optional<std::ofstream>();
  errno = 0;
  std::ofstream file(*path, std::ios::binary);
  if (!file) return fail(Error::from_errno(errno, "open " + *path));
  return std::optional(std::move(file));
}

struct Waited {
  Result<void> ended;
  bool interrupted = false;
};

/// Waits for the end of the job, draws its progress, and ends it on SIGINT and SIGTERM.
Waited wait_for(RunningJob& job, const JobWatch& watch, std::uint64_t count,
                overlay::Signals& signals) {
  const UniqueFd ended(::eventfd(0, EFD_CLOEXEC));
  auto waiting = std::async(std::launch::async, [&] {
    Result<void> result = job.wait();
    static_cast<void>(::eventfd_write(ended.get(), 1));
    return result;
  });
  Progress progress;
  Waited out;
  while (true) {
    pollfd wait[] = {{signals.fd(), POLLIN, 0}, {ended.get(), POLLIN, 0}};
    ::poll(wait, 2, kLook);
    if (signals.take().stop) {
      if (out.interrupted) ::_exit(kExitInterrupted);  // asked twice
      out.interrupted = true;
      job.kill();
    }
    if (wait[1].revents != 0) break;
    const auto now = watch.progress();
    progress.set_label(std::to_string(now.ended) + " of " + std::to_string(count) + " ended, " +
                       std::to_string(now.started) + " started" +
                       (now.failed == 0 ? "" : ", " + std::to_string(now.failed) + " failed"));
    progress.update(now.ended, count);
  }
  out.ended = waiting.get();
  return out;
}

Json summary_to_json(const FleetRunRequest& request, const JobWatch& watch, double total_ms) {
  const Tally& tally = watch.tally();
  Json out = {{"job", request.job.id},          {"pool", request.job.pool},
              {"instances", tally.instances()}, {"ok", tally.ok()},
              {"failed", tally.failed()},       {"by_end", tally.by_end()},
              {"by_node", tally.by_node()},     {"tried_again", tally.tried_again()},
              {"total_ms", total_ms},           {"request_to_running_ms", nullptr},
              {"first_error", nullptr}};
  if (const auto times = tally.request_to_running()) {
    out["request_to_running_ms"] = {
        {"p50", times->p50_ms}, {"p99", times->p99_ms}, {"max", times->max_ms}};
  }
  if (tally.first_error()) out["first_error"] = *tally.first_error();
  for (Json& one : out["instances"]) {
    const auto index = one["instance"].get<std::uint64_t>();
    one["output"] = watch.output_of(index, fleet::Stream::output);
    one["error_output"] = watch.output_of(index, fleet::Stream::error);
  }
  return out;
}

std::string summary_to_text(const JobWatch& watch, std::uint64_t count, double total_ms) {
  const Tally& tally = watch.tally();
  std::string out = counted(count, "instance") + ": " + std::to_string(tally.ok()) + " ok";
  for (const auto& [end, number] : tally.by_end()) {
    if (end != "ok") out += ", " + std::to_string(number) + " " + end;
  }
  if (tally.tried_again() > 0) out += "; " + counted(tally.tried_again(), "attempt") + " repeated";
  out += "; " + format_ms(total_ms) + " ms in all\n";
  if (const auto times = tally.request_to_running()) {
    out += "request to running: p50 " + format_ms(times->p50_ms) + " ms, p99 " +
           format_ms(times->p99_ms) + " ms, max " + format_ms(times->max_ms) + " ms\n";
  }
  if (tally.by_node().size() > 1) {
    std::string nodes;
    for (const auto& [name, number] : tally.by_node()) {
      nodes += (nodes.empty() ? "" : ", ") + name + " " + std::to_string(number);
    }
    out += "nodes: " + nodes + "\n";
  }
  if (tally.first_error()) out += "first error: " + *tally.first_error() + "\n";
  return out;
}

Result<void> write_files(const FleetRunRequest& request, const JobWatch& watch,
                         std::optional<std::ofstream>& events,
                         std::optional<std::ofstream>& timeline) {
  if (events) {
    for (const fleet::Event& event : watch.events()) *events << fleet::to_json_line(event) << "\n";
    if (!events->flush()) return fail(Error::of(Errc::io, "write " + *request.events));
  }
  if (timeline) {
    *timeline << fleet::draw_timeline(watch.events());
    if (!timeline->flush()) return fail(Error::of(Errc::io, "write " + *request.timeline));
  }
  return {};
}

struct Ran {
  Waited waited;
  double total_ms = 0;
};

Result<Ran> run_instances(Runner& runner, const FleetRunRequest& request,
                          std::vector<InstanceSpec> instances, JobWatch& watch,
                          overlay::Signals& signals) {
  const std::uint64_t count = instances.size();
  const auto begin = Clock::now();
  auto job = runner.start(request.job, watch);
  if (!job) return fail(std::move(job.error()));
  if (auto ok = (*job)->add(std::move(instances)); !ok) return fail(std::move(ok.error()));
  if (auto ok = (*job)->finish(); !ok) return fail(std::move(ok.error()));
  Ran ran;
  ran.waited = wait_for(**job, watch, count, signals);
  ran.total_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  return ran;
}

}  // namespace

Result<int> run_fleet_job(Context& context, const FleetRunRequest& request) {
  auto instances = make_instances(request);
  if (!instances) return fail(std::move(instances.error()));
  const std::uint64_t count = instances->size();
  auto events = open_file(request.events);
  if (!events) return fail(std::move(events.error()));
  auto timeline = open_file(request.timeline);
  if (!timeline) return fail(std::move(timeline.error()));
  auto signals = overlay::Signals::open();
  if (!signals) return fail(std::move(signals.error()));
  auto runner = open_runner(context, request);
  if (!runner) return fail(std::move(runner.error()));
  JobWatch watch(request.job.function.retries, count > 1, context.json,
                 events->has_value() || timeline->has_value());
  auto ran = run_instances(*runner, request, std::move(*instances), watch, *signals);
  if (!ran) return fail(std::move(ran.error()));
  watch.flush();
  const auto written = write_files(request, watch, *events, *timeline);
  if (context.json) {
    const Json out = summary_to_json(request, watch, ran->total_ms);
    print(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } else {
    const std::string text = summary_to_text(watch, count, ran->total_ms);
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  if (ran->waited.interrupted) return kExitInterrupted;
  if (!ran->waited.ended) return fail(std::move(ran->waited.ended.error()));
  if (!written) return fail(written.error());
  return watch.tally().failed() == 0 && watch.tally().ended() == count ? kExitOk : kExitKernel;
}

}  // namespace particle::cli
