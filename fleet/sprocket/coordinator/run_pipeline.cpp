// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include <particle_sprocket/pipeline.hpp>

#include "coordinator/coordinator.hpp"
#include "coordinator/dash.hpp"
#include "coordinator/outputs.hpp"
#include "input/video.hpp"

namespace particle::sprocket {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kNull = "null:";
constexpr double kNullRate = 1;

/// COUNT of "null:COUNT".
std::optional<std::uint64_t> null_chunks(std::string_view input) {
  if (!input.starts_with(kNull)) return {};
  input.remove_prefix(kNull.size());
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(input.data(), input.data() + input.size(), count);
  const bool whole = error == std::errc{} && end == input.data() + input.size();
  return whole ? count : 0;
}

std::string list_text(const char* what, std::uint64_t number) {
  return std::string(what) + "_" + std::to_string(number);
}

void check_bound(const char* what, const std::vector<std::uint64_t>& wanted,
                 const std::map<std::uint64_t, std::string>& bound,
                 std::vector<std::string>& faults) {
  for (const std::uint64_t number : wanted) {
    if (!bound.contains(number)) {
      faults.push_back(list_text(what, number) + ": the pipespec has it, and it was not given");
    }
  }
  for (const auto& [number, value] : bound) {
    if (std::find(wanted.begin(), wanted.end(), number) == wanted.end()) {
      faults.push_back(list_text(what, number) +
                       ": was given, and the pipespec has no such stream");
    } else if (value.empty()) {
      faults.push_back(list_text(what, number) + ": is empty");
    }
  }
}

/// Frames without content are only for stages that do not look at them.
void check_null_inputs(const Pipespec& spec, const PipelineOptions& options,
                       std::vector<std::string>& faults) {
  for (const auto& [number, value] : options.inputs) {
    const auto count = null_chunks(value);
    if (!count) continue;
    if (*count == 0) faults.push_back(list_text("input", number) + ": null:COUNT, from 1 on");
    for (const SpecStream& stream : spec.streams) {
      const SpecNode* node = spec.find(stream.dst.node);
      if (stream.src.node != list_text("input", number) || node == nullptr) continue;
      if (node->stage == "null" || node->stage.starts_with("exec:")) continue;
      faults.push_back(list_text("input", number) + ": node \"" + node->name +
                       "\" needs frames, null:COUNT has none");
    }
  }
}

void check_outputs(const PipelineOptions& options, std::vector<std::string>& faults) {
  std::set<std::string> seen;
  for (const auto& [number, value] : options.outputs) {
    if (kind_of(value) == OutputKind::nothing) continue;
    const std::string name = list_text("output", number) + ": " + value + ": ";
    if (!seen.insert(value).second) faults.push_back(name + "another output has this name");
    if (kind_of(value) == OutputKind::files && !numbered(value, 1)) {
      faults.push_back(name + "one number, as %d or %03d, is what may vary in it");
    }
    if (fs::path(value).extension().empty()) {
      faults.push_back(name + "its ending must say the container, as .mp4");
    }
    const fs::path parent = fs::path(value).parent_path();
    std::error_code ignored;
    if (!parent.empty() && !fs::is_directory(parent, ignored)) {
      faults.push_back(name + "there is no directory " + parent.string());
    }
  }
}

/// All that lives as long as a run.
class Run {
 public:
  Run(const Pipespec& spec, PipelineOptions options, const PipelineWatch& watch)
      : spec_(spec), options_(std::move(options)), watch_(watch) {}

  Result<PipelineSummary> run(const StartJob& start) {
    if (auto ok = open_inputs(); !ok) return fail(std::move(ok.error()));
    if (auto ok = open_places(); !ok) return fail(std::move(ok.error()));
    Coordinator coordinator(spec_, options_, watch_, places_);
    coordinator.set_rate(rate_);
    coordinator.on_arrivals([&] { feed_dash(coordinator.flow()); });
    if (auto ok = feed(coordinator.flow()); !ok) return fail(std::move(ok.error()));
    auto summary = coordinator.run(start);
    if (!summary) return summary;
    if (auto ok = write_outputs(coordinator.flow(), *summary); !ok) {
      return fail(std::move(ok.error()));
    }
    return summary;
  }

 private:
  struct Dash {
    std::unique_ptr<DashOutput> output;
    std::size_t seen = 0;                        ///< of the arrivals
    std::uint64_t position = 0;                  ///< of the next part
    std::map<std::uint64_t, Arrival> waiting{};  ///< for those before them, by position
  };

  Result<void> open_inputs() {
    Error faults = Error::of(Errc::invalid_argument, "inputs of pipeline " + spec_.name);
    for (const auto& [number, value] : options_.inputs) {
      if (null_chunks(value)) {
        rate_ = kNullRate;
        continue;
      }
      std::error_code error;
      const std::string path = fs::absolute(value, error).string();
      auto video = probe_video(path);
      if (video) {
        rate_ = video->rate;
        videos_.emplace(number, std::move(*video));
      } else if (options_.inputs.size() == 1) {
        return fail(std::move(video.error()));
      } else {
        faults.details.push_back(list_text("input", number) + ": " + video.error().message());
      }
    }
    if (!faults.details.empty()) return fail(std::move(faults));
    return {};
  }

  Result<void> open_places() {
    for (const auto& [number, value] : options_.outputs) {
      if (kind_of(value) == OutputKind::nothing) continue;
      auto scratch = ScratchDirectory::make(fs::path(value).parent_path().string());
      if (!scratch) return fail(std::move(scratch.error()));
      places_.outputs.emplace(number, scratch->path());
      add_mount(scratch->path(), true);
      if (kind_of(value) == OutputKind::dash) {
        dashes_[number].output = std::make_unique<DashOutput>(value, scratch->path());
      }
      scratches_.push_back(std::move(*scratch));
    }
    if (options_.transfer == Transfer::store) {
      auto scratch = ScratchDirectory::make(
          options_.store.empty() ? fs::temp_directory_path().string() : options_.store);
      if (!scratch) return fail(std::move(scratch.error()));
      places_.store = scratch->path();
      add_mount(scratch->path(), true);
      scratches_.push_back(std::move(*scratch));
    }
    for (const auto& [number, video] : videos_) add_mount(video.path, false);
    return {};
  }

  /// The worker finds what it reads and writes where it is on the node.
  void add_mount(const std::string& path, bool writable) {
    auto& mounts = options_.job.function.mounts;
    const bool there = std::any_of(mounts.begin(), mounts.end(),
                                   [&](const fleet::Mount& each) { return each.target == path; });
    if (!there) mounts.push_back({path, path, writable});
  }

  Result<void> feed(Flow& flow) {
    for (const auto& [number, value] : options_.inputs) {
      if (const auto count = null_chunks(value)) {
        for (std::uint64_t i = 0; i < *count; ++i) {
          if (auto ok = flow.add_source(number, i, 1, {}, {}); !ok) return ok;
        }
        continue;
      }
      const Video& video = videos_.at(number);
      for (const Chunk& chunk : cut(video, options_.chunk)) {
        if (auto ok =
                flow.add_source(number, chunk.first, chunk.frames, chunk.source, video.format);
            !ok) {
          return ok;
        }
      }
    }
    return flow.end_sources();
  }

  /// What has arrived at an output of DASH becomes segments, in the order of the frames.
  void feed_dash(const Flow& flow) {
    for (auto& [number, dash] : dashes_) {
      const auto& arrivals = flow.outputs().at(number);
      for (; dash.seen < arrivals.size(); ++dash.seen) {
        dash.waiting.emplace(arrivals[dash.seen].first, arrivals[dash.seen]);
      }
      for (auto next = dash.waiting.find(dash.position); next != dash.waiting.end();
           next = dash.waiting.find(dash.position)) {
        const Arrival arrival = next->second;
        dash.waiting.erase(next);
        dash.position += arrival.span;
        if (arrival.frames == 0) continue;  // a filter dropped them all
        dash.output->add({flow.item(arrival.item).place.path, arrival.first, arrival.frames,
                          static_cast<double>(arrival.frames) / rate_});
      }
    }
  }

  Result<void> write_outputs(const Flow& flow, PipelineSummary& summary) {
    feed_dash(flow);
    for (const auto& [number, value] : options_.outputs) {
      const auto parts = line_up(flow, number, rate_);
      if (!parts) return fail(parts.error());
      for (const Part& part : *parts) summary.frames[number] += part.frames;
      if (kind_of(value) == OutputKind::nothing) continue;
      if (auto ok = write_output(value, *parts, places_.outputs.at(number)); !ok) return ok;
      if (kind_of(value) == OutputKind::dash) {
        if (auto ok = dashes_.at(number).output->finish(); !ok) return ok;
      }
    }
    return {};
  }

  const Pipespec& spec_;
  PipelineOptions options_;
  const PipelineWatch& watch_;
  std::map<std::uint64_t, Video> videos_;
  double rate_ = kNullRate;
  std::vector<ScratchDirectory> scratches_;
  WorkPlaces places_;
  std::map<std::uint64_t, Dash> dashes_;  // after the scratch directories: they work there
};

}  // namespace

Result<void> check_options(const Pipespec& spec, const PipelineOptions& options) {
  Error error = Error::of(Errc::invalid_argument, "pipeline " + spec.name);
  check_bound("input", spec.inputs, options.inputs, error.details);
  check_bound("output", spec.outputs, options.outputs, error.details);
  check_null_inputs(spec, options, error.details);
  check_outputs(options, error.details);
  if (options.chunk.count() <= 0) error.details.emplace_back("a chunk must last some time");
  if (options.task_timeout.count() <= 0) error.details.emplace_back("a time-out must be above 0");
  if (options.job.function.command.empty()) error.details.emplace_back("no worker program");
  if (error.details.empty()) return {};
  return fail(std::move(error));
}

Result<PipelineSummary> run_pipeline(const Pipespec& spec, const PipelineOptions& options,
                                     const StartJob& start, const PipelineWatch& watch) {
  if (auto ok = check_options(spec, options); !ok) return fail(std::move(ok.error()));
  return Run(spec, options, watch).run(start);
}

}  // namespace particle::sprocket
