// SPDX-License-Identifier: Apache-2.0
// `fleet run`.
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include <particle_fleet/failure.hpp>

#include "exit_codes.hpp"
#include "fleet/job_watch.hpp"
#include "fleet/run_fleet.hpp"
#include "fleet/runner.hpp"
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

/// The end of the job; its progress meanwhile.
Waited wait_for(RunningJob& job, const JobWatch& watch, std::uint64_t count,
                overlay::Signals& signals) {
  return wait_for_end(
      [&] { return job.wait(); }, [&] { job.kill(); },
      [&](Progress& progress) {
        const auto now = watch.progress();
        progress.set_label(std::to_string(now.ended) + " of " + std::to_string(count) + " ended, " +
                           std::to_string(now.started) + " started" +
                           (now.failed == 0 ? "" : ", " + std::to_string(now.failed) + " failed"));
        progress.update(now.ended, count);
      },
      signals);
}

std::optional<fleet::Failure> failure_of(const FleetRunRequest& request, const JobWatch& watch,
                                         std::uint64_t index, bool has_agent) {
  auto facts = watch.tally().failure_of(index);
  if (!facts) return std::nullopt;
  const std::string errors = watch.last_errors_of(index);
  facts->pool = request.job.pool;
  facts->function = &request.job.function;
  facts->errors = errors;
  facts->has_agent = has_agent;
  return fleet::describe_failure(*facts);
}

Json failure_to_json(const std::optional<fleet::Failure>& failure) {
  if (!failure) return nullptr;
  return {{"what", failure->what}, {"last_words", failure->last_words}, {"next", failure->next}};
}

/// The first failure in one line.
std::string in_one_line(const fleet::Failure& failure) {
  return failure.what +
         (failure.last_words.empty() ? "" : "; its last words: " + failure.last_words.back());
}

Json summary_to_json(const FleetRunRequest& request, const JobWatch& watch, double total_ms,
                     bool has_agent) {
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
  if (!tally.first_failed().empty()) {
    const auto first = failure_of(request, watch, tally.first_failed().front(), has_agent);
    if (first) out["first_error"] = in_one_line(*first);
  }
  for (Json& one : out["instances"]) {
    const auto index = one["instance"].get<std::uint64_t>();
    one["output"] = watch.output_of(index, fleet::Stream::output);
    one["error_output"] = watch.output_of(index, fleet::Stream::error);
    one["failure"] = failure_to_json(failure_of(request, watch, index, has_agent));
  }
  return out;
}

/// Of each way of ending the first, with how many others ended so, too.
std::string failures_to_text(const FleetRunRequest& request, const JobWatch& watch,
                             bool has_agent) {
  const Tally& tally = watch.tally();
  std::string out;
  for (const std::uint64_t index : tally.first_failed()) {
    auto failure = failure_of(request, watch, index, has_agent);
    if (!failure) continue;
    const auto ended = tally.failure_of(index)->done.ended.value_or(fleet::Ended::lost);
    const std::uint64_t others = tally.by_end().at(std::string(fleet::to_string(ended))) - 1;
    if (others > 0) failure->what += " (and " + std::to_string(others) + " more ended so)";
    out += "failed: " + failure->to_text();
  }
  return out;
}

std::string summary_to_text(const FleetRunRequest& request, const JobWatch& watch,
                            std::uint64_t count, double total_ms, bool has_agent) {
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
  return out + failures_to_text(request, watch, has_agent);
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
  if (request.job_file) return run_fleet_stages(context, request);
  auto instances = make_instances(request);
  if (!instances) return fail(std::move(instances.error()));
  const std::uint64_t count = instances->size();
  auto files = EventFiles::open(request);
  if (!files) return fail(std::move(files.error()));
  auto signals = overlay::Signals::open();
  if (!signals) return fail(std::move(signals.error()));
  auto runner = Runner::open(context, request);
  if (!runner) return fail(std::move(runner.error()));
  JobWatch watch(request.job.function.retries, count > 1, context.json, files->wanted());
  auto ran = run_instances(*runner, request, std::move(*instances), watch, *signals);
  if (!ran) return fail(std::move(ran.error()));
  watch.flush();
  const auto written = files->write(watch.events());
  if (context.json) {
    const Json out = summary_to_json(request, watch, ran->total_ms, runner->has_agent());
    print(out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  } else {
    const std::string text =
        summary_to_text(request, watch, count, ran->total_ms, runner->has_agent());
    std::fwrite(text.data(), 1, text.size(), stderr);
  }
  if (ran->waited.interrupted) return kExitInterrupted;
  if (!ran->waited.ended) return fail(std::move(ran->waited.ended.error()));
  if (!written) return fail(written.error());
  return watch.tally().failed() == 0 && watch.tally().ended() == count ? kExitOk : kExitKernel;
}

}  // namespace particle::cli
