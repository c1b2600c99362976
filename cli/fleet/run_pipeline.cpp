// SPDX-License-Identifier: Apache-2.0
// `fleet pipeline`.
#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <thread>

#include <nlohmann/json.hpp>

#include <particle_fleet/client.hpp>
#include <particle_fleet/timeline.hpp>
#include <particle_sprocket/local_job.hpp>
#include <particle_sprocket/pipeline.hpp>

#include "exit_codes.hpp"
#include "fleet/agent_sockets.hpp"
#include "fleet/pipeline_failure.hpp"
#include "fleet/pipeline_report.hpp"
#include "fleet/run_fleet.hpp"
#include "log.hpp"
#include "node_access.hpp"
#include "output.hpp"
#include "progress.hpp"
#include "signals.hpp"

namespace particle::cli {
namespace {

namespace fs = std::filesystem;
constexpr const char* kWorkerInImage = "/particle-worker";

std::string program_directory() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

/// Beside the programs: ../share/particle/pipelines, installed and in a build alike.
fs::path shipped_pipelines() {
  return fs::path(program_directory()).parent_path() / "share/particle/pipelines";
}

Result<sprocket::Pipespec> open_spec(const std::string& name) {
  std::error_code ignored;
  if (name.find('/') == std::string::npos && !fs::exists(name, ignored)) {
    const fs::path shipped = shipped_pipelines() / (name + ".json");
    if (fs::exists(shipped, ignored)) return sprocket::read_pipespec(shipped.string());
  }
  return sprocket::read_pipespec(name);
}

Result<int> list(const Context& context) {
  nlohmann::json found = nlohmann::json::array();
  std::error_code error;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(shipped_pipelines(), error)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  if (error) {
    return fail(Error::from_errno(error.value(), "read " + shipped_pipelines().string()));
  }
  std::sort(paths.begin(), paths.end());
  Table table({"NAME", "WHAT IT DOES"});
  for (const fs::path& path : paths) {
    std::ifstream file(path);
    const auto json = nlohmann::json::parse(file, nullptr, false);
    const std::string what = json.is_object() ? json.value("description", "") : "";
    found.push_back(
        {{"name", path.stem().string()}, {"path", path.string()}, {"description", what}});
    table.add({path.stem().string(), what});
  }
  if (context.json) {
    print_json(found);
  } else {
    print(table.to_string(Style::of_stdout(context)));
  }
  return kExitOk;
}

Result<int> check(const Context& context, const FleetPipelineRequest& request) {
  const auto spec = open_spec(request.spec);
  if (!spec) return fail(spec.error());
  if (context.json) {
    print_json(spec_to_json(*spec));
  } else {
    print(spec_to_text(*spec, Style::of_stdout(context)));
  }
  return kExitOk;
}

/// Whoever runs the job has to outlive it.
struct Runner {
  std::optional<fleet::Client> client;
  std::optional<fleet::Launcher> launcher;

  Result<std::unique_ptr<fleet::RunningJob>> start(const fleet::JobSpec& job,
                                                   fleet::JobObserver& observer) {
    if (client) return client->start(job, observer);
    if (launcher) return launcher->start(job, observer);
    return sprocket::start_local_job(job, observer);
  }

  Result<std::uint64_t> free_endpoints(const std::string& pool) {
    if (launcher) return launcher->free_endpoints(pool);
    auto nodes = client->nodes(pool);
    if (!nodes) return fail(std::move(nodes.error()));
    std::uint64_t sum = 0;
    for (const fleet::NodeStatus& node : *nodes) sum += node.free_endpoints;
    return sum;
  }
};

Result<Runner> open_runner(const Context& context, const FleetPipelineRequest& request) {
  Runner runner;
  if (request.local) return runner;
  auto node = open_node(context);
  if (!node) return fail(std::move(node.error()));
  auto client = fleet::Client::connect(request.agent.value_or(agent_socket(*node)));
  if (client) {
    runner.client = std::move(*client);
    return runner;
  }
  if (request.agent || client.error().kind() != Errc::not_found) {
    return fail(std::move(client.error()));
  }
  log_info("no agent runs here: the workers run on this node");
  auto launcher = fleet::Launcher::open(std::move(*node));
  if (!launcher) return fail(std::move(launcher.error()));
  runner.launcher = std::move(*launcher);
  return runner;
}

/// How many workers may work and live, where nobody said.
Result<void> set_limits(const FleetPipelineRequest& request, Runner& runner,
                        sprocket::PipelineOptions& options) {
  if (request.local) {
    if (options.concurrency == 0) options.concurrency = 2 * std::thread::hardware_concurrency();
    return {};
  }
  if (options.capacity != 0) return {};
  const auto endpoints = runner.free_endpoints(options.job.pool);
  if (!endpoints) return fail(endpoints.error());
  options.capacity = *endpoints;
  return {};
}

void set_worker(const FleetPipelineRequest& request, sprocket::PipelineOptions& options) {
  const std::string program = request.worker.value_or(program_directory() + "/particle-worker");
  fleet::Function& function = options.job.function;
  if (request.local) {
    function.command = {program};
    return;
  }
  // In the node's own root, too: what is below /tmp or /run is not seen there.
  function.command = {kWorkerInImage};
  function.mounts.push_back({program, kWorkerInImage, false});
}

Result<std::optional<std::ofstream>> open_file(const std::optional<std::string>& path) {
  if (!path) return std::optional<std::ofstream>();
  errno = 0;
  std::ofstream file(*path, std::ios::binary);
  if (!file) return fail(Error::from_errno(errno, "open " + *path));
  return std::optional(std::move(file));
}

/// What happened is written down even when the pipeline failed: that is when it is looked at.
Result<void> write_files(const FleetPipelineRequest& request,
                         const std::vector<fleet::Event>& events,
                         std::optional<std::ofstream>& lines,
                         std::optional<std::ofstream>& picture) {
  if (lines) {
    for (const fleet::Event& event : events) *lines << fleet::to_json_line(event) << "\n";
    if (!lines->flush()) return fail(Error::of(Errc::io, "write " + *request.events));
  }
  if (picture) {
    *picture << fleet::draw_timeline(events);
    if (!picture->flush()) return fail(Error::of(Errc::io, "write " + *request.timeline));
  }
  return {};
}

Result<int> run(Context& context, const FleetPipelineRequest& request) {
  auto spec = open_spec(request.spec);
  if (!spec) return fail(std::move(spec.error()));
  sprocket::PipelineOptions options = request.options;
  set_worker(request, options);
  if (auto ok = sprocket::check_options(*spec, options); !ok) return fail(std::move(ok.error()));
  auto lines = open_file(request.events);
  if (!lines) return fail(std::move(lines.error()));
  auto picture = open_file(request.timeline);
  if (!picture) return fail(std::move(picture.error()));
  sprocket::PipelineWatch watch;
  watch.stop = stop_on_signals();
  auto runner = open_runner(context, request);
  if (!runner) return fail(std::move(runner.error()));
  if (auto ok = set_limits(request, *runner, options); !ok) return fail(std::move(ok.error()));
  Progress progress;
  std::vector<fleet::Event> events;
  watch.progress = [&](std::size_t done, std::size_t known) {
    progress.set_label(std::to_string(done) + " of " + std::to_string(known) +
                       " tasks known so far");
    progress.update(done, known);
  };
  watch.event = [&](const fleet::Event& event) { events.push_back(event); };
  watch.warn = [&](const std::string& text) {
    progress.clear();
    print_warning(context, text);
  };
  auto summary = sprocket::run_pipeline(
      *spec, options,
      [&](const fleet::JobSpec& job, fleet::JobObserver& observer) {
        return runner->start(job, observer);
      },
      watch);
  progress.clear();
  const auto written = write_files(request, events, *lines, *picture);
  if (!summary) {
    return fail(explain_pipeline(std::move(summary.error()), options.job, events,
                                 runner->client.has_value()));
  }
  if (context.json) {
    print_json(summary_to_json(*spec, *summary));
  } else {
    print(summary_to_text(*spec, *summary, Style::of_stdout(context)));
  }
  if (!written) return fail(written.error());
  return kExitOk;
}

}  // namespace

Result<int> run_fleet_pipeline(Context& context, const FleetPipelineRequest& request) {
  switch (request.action) {
    case FleetPipelineRequest::Action::list:
      return list(context);
    case FleetPipelineRequest::Action::check:
      return check(context, request);
    case FleetPipelineRequest::Action::run:
      return run(context, request);
  }
  return kExitOk;
}

}  // namespace particle::cli
