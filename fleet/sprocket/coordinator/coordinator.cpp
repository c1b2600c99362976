// SPDX-License-Identifier: Apache-2.0
#include "coordinator/coordinator.hpp"

#include <algorithm>
#include <csignal>

#include <nlohmann/json.hpp>

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kKeptErrors = 2000;
constexpr std::string_view kRelease = "{\"release\": true}\n";

}  // namespace

Coordinator::Coordinator(const Pipespec& spec, const PipelineOptions& options,
                         const PipelineWatch& watch, WorkPlaces places)
    : spec_(spec), options_(options), watch_(watch), places_(std::move(places)), flow_(spec) {
  for (const SpecNode& node : spec.nodes) deepest_ = std::max(deepest_, node.depth);
}

Result<PipelineSummary> Coordinator::run(const StartJob& start) {
  auto job = start(options_.job, inbox_);
  if (!job) return fail(std::move(job.error()));
  job_ = std::move(*job);
  start_ = Clock::now();
  auto done = loop();
  if (!done) {
    job_->kill();
    (void)job_->finish();
    (void)job_->wait();
    job_.reset();
    return fail(std::move(done.error()));
  }
  // Only workers that were told to end are left.
  auto finished = job_->finish();
  if (finished) finished = job_->wait();
  job_.reset();
  for (const Report& report : inbox_.take({}, Clock::now())) {
    if (const auto* event = std::get_if<fleet::Event>(&report); event != nullptr && watch_.event) {
      watch_.event(*event);
    }
  }
  if (!finished) return fail(std::move(finished.error()));
  return summarise();
}

Result<void> Coordinator::loop() {
  take_fired();
  while (!flow_.finished()) {
    if (watch_.stop.stop_requested()) {
      return fail(Error::of(Errc::interrupted, "pipeline " + spec_.name));
    }
    if (auto ok = schedule(); !ok) return ok;
    for (const Report& report : inbox_.take(watch_.stop, next_wake())) {
      if (auto ok = handle(report); !ok) return ok;
    }
    take_fired();
    if (arrivals_) arrivals_();
    release_unneeded();
    if (auto ok = check_time(); !ok) return ok;
    if (watch_.progress) watch_.progress(flow_.completed_count(), flow_.task_count());
  }
  summary_.total = Clock::now() - *start_;
  release_unneeded();
  return {};
}

Coordinator::Clock::time_point Coordinator::next_wake() const {
  constexpr std::chrono::milliseconds kLongest{200};
  const auto latest = Clock::now() + kLongest;
  return held_until_ ? std::min(latest, *held_until_) : latest;
}

Result<void> Coordinator::handle(const Report& report) {
  if (const auto* event = std::get_if<fleet::Event>(&report)) return on_event(*event);
  if (const auto* wrote = std::get_if<Wrote>(&report)) return on_output(*wrote);
  Error error = std::get<Error>(report);
  error.operation = "pipeline " + spec_.name + ": " + error.operation;
  return fail(std::move(error));
}

// --- What workers say ---------------------------------------------------------------------------

Result<void> Coordinator::on_event(const fleet::Event& event) {
  if (watch_.event) watch_.event(event);
  const auto found = instances_.find(event.instance);
  if (found == instances_.end()) return {};
  TaskRun& run = summary_.runs[found->second.run];
  if (!event.node.empty()) run.where = event.node;
  if (event.phase == fleet::Phase::started) found->second.started = Clock::now();
  if (event.phase != fleet::Phase::done) return {};
  return on_gone(event.instance, event);
}

Result<void> Coordinator::on_output(const Wrote& wrote) {
  const auto found = instances_.find(wrote.instance);
  if (found == instances_.end()) return {};
  Instance& instance = found->second;
  if (wrote.stream == fleet::Stream::error) {
    instance.errors += wrote.bytes;
    if (instance.errors.size() > kKeptErrors) {
      instance.errors.erase(0, instance.errors.size() - kKeptErrors);
    }
    return {};
  }
  if (!instance.started) instance.started = Clock::now();
  for (const std::string& line : take_lines(instance.output, wrote.bytes)) {
    if (auto ok = on_line(wrote.instance, line); !ok) return ok;
  }
  return {};
}

Result<void> Coordinator::on_line(std::uint64_t index, const std::string& line) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_object() && json.contains("phase") && json["phase"].is_string()) {
    on_phase(index, json["phase"], json.value("at", std::int64_t{0}));
    return {};
  }
  if (json.is_object() && json.contains("done")) return on_done(index, json["done"]);
  if (json.is_object() && json.contains("error")) return on_error(index, json["error"]);
  constexpr std::size_t kShown = 100;
  return fail_task(index, "it wrote \"" + line.substr(0, kShown) + "\", which is no message");
}

void Coordinator::on_phase(std::uint64_t index, const std::string& phase,
                           std::int64_t nanoseconds) {
  TaskRun& run = summary_.runs[instances_.at(index).run];
  const TaskRun::Time at{
      std::chrono::duration_cast<TaskRun::Time::duration>(std::chrono::nanoseconds(nanoseconds))};
  fleet::Event event{.job = options_.job.id,
                     .instance = index,
                     .attempt = run.attempt,
                     .node = run.where,
                     .at = at,
                     .detail = flow_.name_of(instances_.at(index).task)};
  if (phase == "connected") {
    run.connected = at;
    event.phase = fleet::Phase::connected;
  } else if (phase == "transferring") {
    run.transferring = at;
    event.phase = fleet::Phase::transferring;
  } else if (phase == "processing") {
    run.processing = at;
    event.phase = fleet::Phase::processing;
  } else {
    return;
  }
  if (watch_.event) watch_.event(event);
}

Result<void> Coordinator::on_done(std::uint64_t index, const Json& body) {
  Instance& instance = instances_.at(index);
  if (!instance.working) return {};
  auto done = parse_done(body);
  if (!done) return fail_task(index, done.error().message());
  TaskState& state = tasks_[instance.task];
  TaskRun& run = summary_.runs[instance.run];
  run.done = TaskRun::Time::clock::now();
  run.pulled = done->pulled;
  run.handed = done->handed;
  const bool first_time = !flow_.task(instance.task).completed;
  if (auto ok = flow_.complete(instance.task, *done); !ok) return ok;
  run.ok = true;
  instance.working = false;
  --working_;
  note_duration(instance);
  end_other_copy(instance.task, index);
  state.at = TaskState::At::done;
  state.again = false;
  serving_.insert(instance.task);
  if (first_time) note_latency(instance.task);
  return {};
}

Result<void> Coordinator::on_error(std::uint64_t index, const Json& body) {
  if (!instances_.at(index).working) return {};  // another copy was faster
  const auto error = parse_error(body);
  if (!error) return fail_task(index, error.error().message());
  if (error->unreachable) {
    // Whoever served it is of no more use, dead or not: it is made again, by another worker.
    if (const auto producer = flow_.item(*error->unreachable).producer) {
      lose_outputs(*producer);
      TaskState& upstream = tasks_[*producer];
      if (instances_.contains(upstream.instance)) end_instance(upstream.instance);
    }
  }
  return fail_task(index, error->what + (error->hint.empty() ? "" : " (" + error->hint + ")"));
}

Result<void> Coordinator::on_gone(std::uint64_t index, const fleet::Event& event) {
  const Instance& instance = instances_.at(index);
  const TaskId task = instance.task;
  if (event.ended == fleet::Ended::lost && !event.node.empty()) lost_nodes_.insert(event.node);
  if (instance.working && !instance.released) {
    std::string why = instance.reason.empty() ? describe_end(event) : instance.reason;
    if (!instance.errors.empty()) why += ": " + instance.errors;
    while (why.ends_with('\n')) why.pop_back();
    if (auto ok = fail_task(index, why); !ok) return ok;
  } else if (serving_.contains(task) && tasks_[task].instance == index) {
    serving_.erase(task);
    if (!instance.released && flow_.needed(task)) lose_outputs(task);
  }
  instances_.erase(index);
  return {};
}

// --- Failures -----------------------------------------------------------------------------------

/// Another worker gets the task, until it has failed too often.
Result<void> Coordinator::fail_task(std::uint64_t index, const std::string& why) {
  Instance& instance = instances_.at(index);
  if (!instance.working || instance.released) return {};
  const TaskId task = instance.task;
  TaskState& state = tasks_[task];
  state.failures.push_back(why);
  end_instance(index);
  --working_;
  instance.working = false;
  if (const auto other = other_copy(task, index)) {
    if (watch_.warn) watch_.warn(flow_.name_of(task) + ": another worker goes on with it: " + why);
    state.instance = *other;
    state.copy.reset();
    return {};
  }
  if (state.failures.size() > options_.retries) {
    Error error = Error::of(Errc::kernel, flow_.name_of(task) + ": failed " +
                                              std::to_string(state.failures.size()) + " times");
    for (std::size_t i = 0; i < state.failures.size(); ++i) {
      error.details.push_back("attempt " + std::to_string(i + 1) + ": " + state.failures[i]);
    }
    return fail(std::move(error));
  }
  if (watch_.warn) watch_.warn(flow_.name_of(task) + ": tried again: " + why);
  state.at = TaskState::At::ready;
  state.again = true;
  ready_.insert(task);
  return {};
}

void Coordinator::lose_outputs(TaskId task) {
  for (const ItemId item : flow_.task(task).outputs) {
    if (flow_.item(item).place.path.empty()) flow_.lose(item);
  }
}

/// Makes what a task had made once more.
void Coordinator::rerun(TaskId task) {
  TaskState& state = tasks_[task];
  if (state.at != TaskState::At::done) return;
  if (watch_.warn) watch_.warn(flow_.name_of(task) + ": made again: its worker is gone");
  flow_.hold_inputs(task);
  serving_.erase(task);
  state.at = TaskState::At::ready;
  state.again = true;
  ready_.insert(task);
}

void Coordinator::end_instance(std::uint64_t index) {
  Instance& instance = instances_.at(index);
  if (instance.released) return;
  instance.released = true;
  (void)job_->signal(index, SIGKILL);  // it may have ended meanwhile
}

void Coordinator::release_unneeded() {
  for (auto at = serving_.begin(); at != serving_.end();) {
    const TaskId task = *at;
    if (flow_.needed(task)) {
      ++at;
      continue;
    }
    at = serving_.erase(at);
    const auto found = instances_.find(tasks_[task].instance);
    if (found == instances_.end() || found->second.released) continue;
    found->second.released = true;
    (void)job_->send(found->first, kRelease);  // those that serve nothing have ended by themselves
  }
}

Result<void> Coordinator::check_time() {
  const auto now = Clock::now();
  std::vector<std::uint64_t> late;
  for (const auto& [index, instance] : instances_) {
    if (instance.working && !instance.released && instance.started &&
        now - *instance.started > options_.task_timeout) {
      late.push_back(index);
    }
  }
  for (const std::uint64_t index : late) {
    const auto seconds = std::chrono::duration<double>(options_.task_timeout).count();
    std::string text = std::to_string(seconds);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    if (auto ok = fail_task(index, "no answer within " + text + " s"); !ok) return ok;
  }
  return {};
}

// --- Scheduling ---------------------------------------------------------------------------------

void Coordinator::take_fired() {
  for (const TaskId task : flow_.take_fired()) {
    tasks_[task];
    ready_.insert(task);
  }
}

Result<void> Coordinator::schedule() {
  held_until_.reset();
  while (options_.concurrency == 0 || working_ < options_.concurrency) {
    const auto task = choose();
    if (!task) break;
    if (auto ok = start_worker(*task); !ok) return ok;
  }
  if (options_.duplicate_stragglers) {
    if (auto ok = copy_stragglers(); !ok) return ok;
  }
  if (working_ == 0 && !ready_.empty() && !held_until_ &&
      (options_.capacity != 0 && instances_.size() >= options_.capacity)) {
    const bool ending = std::any_of(instances_.begin(), instances_.end(),
                                    [](const auto& each) { return each.second.released; });
    if (!ending) {
      return fail(Error::of(Errc::exhausted,
                            "pipeline " + spec_.name + ": all " +
                                std::to_string(options_.capacity) +
                                " workers wait for others that have no place",
                            "give it more endpoints, or shorter windows"));
    }
  }
  return {};
}

std::optional<TaskId> Coordinator::choose() {
  const auto now = Clock::now();
  // What is missing is made first; making it may need yet other things.
  for (bool moved = true; moved;) {
    moved = false;
    for (const TaskId task : std::vector<TaskId>(ready_.begin(), ready_.end())) {
      for (const ItemId item : flow_.missing_inputs(task)) {
        const auto producer = flow_.item(item).producer;
        if (!producer || tasks_[*producer].at != TaskState::At::done) continue;
        rerun(*producer);
        moved = true;
      }
    }
  }
  if (const auto best = best_of(now, options_.strategy, false)) return best;
  // Nothing works and nobody ends: the places that were kept are what is left, for the deepest first.
  const bool ending = std::any_of(instances_.begin(), instances_.end(),
                                  [](const auto& each) { return each.second.released; });
  if (working_ != 0 || ending || instances_.size() >= options_.capacity) return {};
  return best_of(now, Strategy::first_frame, true);
}

std::optional<TaskId> Coordinator::best_of(Clock::time_point now, Strategy strategy,
                                           bool any_place) {
  std::optional<TaskId> best;
  std::tuple<bool, std::uint64_t, std::uint64_t, std::uint64_t> best_rank;
  for (const TaskId task : ready_) {
    const TaskRecord& record = flow_.task(task);
    const Standing standing{tasks_[task].again, spec_.nodes[record.node].depth, deepest_,
                            record.delivery.first, task};
    const auto its_rank = rank(strategy, standing);
    if (best && best_rank <= its_rank) continue;
    const bool room =
        any_place || has_room(options_.capacity, instances_.size(), standing.depth, deepest_);
    if (!room || !flow_.missing_inputs(task).empty() || !may_begin(task, now)) continue;
    best = task;
    best_rank = its_rank;
  }
  return best;
}

/// Streaming: ahead of its time, no new chunk is begun.
bool Coordinator::may_begin(TaskId task, Clock::time_point now) {
  const TaskRecord& record = flow_.task(task);
  if (options_.strategy != Strategy::streaming || spec_.nodes[record.node].depth != 0) return true;
  // Before the first frame has come out nothing is known: the chunks of the lead are begun.
  const std::chrono::nanoseconds position{
      static_cast<std::int64_t>(static_cast<double>(record.delivery.first) / rate_ * 1e9)};
  if (!shown_) return position <= options_.lead;
  const auto begin = begin_of(*shown_, position, latency_, options_.lead);
  if (begin <= now) return true;
  held_until_ = held_until_ ? std::min(*held_until_, begin) : begin;
  return false;
}

void Coordinator::note_latency(TaskId task) {
  const TaskRecord& record = flow_.task(task);
  const bool arrives =
      std::any_of(flow_.outputs().begin(), flow_.outputs().end(), [&](const auto& output) {
        return !output.second.empty() &&
               std::find(record.outputs.begin(), record.outputs.end(), output.second.back().item) !=
                   record.outputs.end();
      });
  if (!arrives) return;
  const auto now = Clock::now();
  if (record.delivery.first == 0 && !shown_) {
    shown_ = now;
    summary_.first_output = now - *start_;
  }
  const auto begun = begun_.find(record.delivery.first);
  if (begun == begun_.end()) return;
  const std::chrono::nanoseconds took = now - begun->second;
  latency_ = latency_.count() == 0 ? took : (latency_ * 3 + took) / 4;
}

std::optional<std::string> Coordinator::place_of(TaskId task, bool copy) const {
  if (options_.nodes.empty()) return {};
  std::vector<std::string> alive;
  for (const std::string& node : options_.nodes) {
    if (!lost_nodes_.contains(node)) alive.push_back(node);
  }
  if (alive.empty()) return {};
  const std::uint64_t depth = spec_.nodes[flow_.task(task).node].depth;
  // What is slow may be the node.
  const std::uint64_t elsewhere = tasks_.at(task).failures.size() + (copy ? 1 : 0);
  return alive[(depth + elsewhere) % alive.size()];
}

std::string Coordinator::path_for(TaskId task, const std::string& port) const {
  const TaskRecord& record = flow_.task(task);
  const SpecNode& node = spec_.nodes[record.node];
  const std::string name = node.name + "-" + std::to_string(record.number) + "-" + port + "-" +
                           std::to_string(tasks_.at(task).attempts);
  for (const SpecStream& stream : spec_.streams) {
    if (stream.src.node != node.name || stream.src.port != port) continue;
    if (!stream.dst.node.starts_with("output_")) continue;
    const auto found =
        places_.outputs.find(std::stoull(stream.dst.node.substr(std::string("output_").size())));
    if (found != places_.outputs.end()) return found->second + "/" + name;
  }
  return places_.store.empty() ? "" : places_.store + "/" + name;
}

std::string Coordinator::message_for(TaskId task) const {
  const TaskRecord& record = flow_.task(task);
  const SpecNode& node = spec_.nodes[record.node];
  TaskMessage message{.node = node.name,
                      .stage = node.stage,
                      .parameters = node.parameters,
                      .number = record.number,
                      .first = record.delivery.first,
                      .span = record.delivery.span,
                      .frames = record.delivery.frames,
                      .context = record.delivery.context,
                      .scene = record.delivery.scene,
                      .inputs = {},
                      .outputs = {}};
  for (std::size_t port = 0; port < node.inputs.size(); ++port) {
    TaskInput& input = message.inputs.emplace_back();
    input.port = node.inputs[port];
    input.type = type_of(input.port).value_or(DataType::frames);
    for (const Slice& slice : record.delivery.inputs[port]) {
      const ItemRecord& item = flow_.item(slice.item);
      const bool whole = slice.offset == 0 && slice.frames == item.item.frames;
      input.slices.push_back(
          {slice.item, slice.offset, slice.frames, whole, item.source, item.place, item.format});
    }
  }
  for (const std::string& port : node.outputs) {
    message.outputs.push_back(
        {port, type_of(port).value_or(DataType::frames), path_for(task, port)});
  }
  return encode_task(message);
}

Result<void> Coordinator::start_worker(TaskId task, bool copy) {
  TaskState& state = tasks_[task];
  const TaskRecord& record = flow_.task(task);
  const std::uint64_t index = next_instance_++;
  fleet::InstanceSpec spec{.index = index,
                           .input = message_for(task),
                           .keep_input = true,
                           .environment = {},
                           .command = {},
                           .node = place_of(task, copy)};
  const auto now = Clock::now();
  Instance& instance = instances_[index];
  instance.task = task;
  instance.run = summary_.runs.size();
  TaskRun& run = summary_.runs.emplace_back();
  run.node = spec_.nodes[record.node].name;
  run.number = record.number;
  run.first = record.delivery.first;
  run.frames = record.delivery.frames;
  run.attempt = state.attempts++;
  run.instance = index;
  run.copy = copy;
  run.asked = TaskRun::Time::clock::now();
  state.at = TaskState::At::working;
  state.copied = copy;
  if (copy) {
    state.copy = index;
  } else {
    state.instance = index;
    state.copy.reset();
  }
  state.begun = now;
  ready_.erase(task);
  ++working_;
  summary_.most_alive = std::max<std::uint64_t>(summary_.most_alive, instances_.size());
  if (spec_.nodes[record.node].depth == 0) begun_.try_emplace(record.delivery.first, now);
  const auto node = spec.node;
  std::vector<fleet::InstanceSpec> specs;
  specs.push_back(std::move(spec));
  auto added = job_->add(std::move(specs));
  if (added) return {};
  if (node && added.error().kind() == Errc::not_found) {
    // A node that has gone: its work goes to the others, while there are any.
    lost_nodes_.insert(*node);
    auto failed = fail_task(index, added.error().message());
    instances_.erase(index);
    return failed;
  }
  instances_.erase(index);
  --working_;
  Error error = std::move(added.error());
  error.operation = flow_.name_of(task) + ": " + error.operation;
  return fail(std::move(error));
}

PipelineSummary Coordinator::summarise() {
  summary_.tasks = flow_.task_count();
  for (const TaskRun& run : summary_.runs) {
    if (run.copy) {
      ++summary_.copied;
    } else if (run.attempt > 0) {
      ++summary_.retried;
    }
    if (!run.ok || !run.connected || !run.processing || !run.done) continue;
    summary_.startup += *run.connected - run.asked;
    summary_.transferring += *run.processing - *run.connected;
    summary_.processing += *run.done - *run.processing;
  }
  return std::move(summary_);
}

}  // namespace particle::sprocket
