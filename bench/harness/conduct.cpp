// SPDX-License-Identifier: Apache-2.0
#include "harness/conduct.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

#include <unistd.h>

#include <particle/version.hpp>

#include "baselines/sandbox.hpp"
#include "harness/allotment.hpp"
#include "harness/machine.hpp"

namespace particle::bench {
namespace {

constexpr std::chrono::seconds kLoadWindow{1};
constexpr std::uint64_t kWarmUpEndpoints = 10;
constexpr std::uint64_t kWarmUpContainers = 1;

/// One design at one size.
struct Task {
  const Design* design;
  std::uint64_t endpoints;
  std::size_t figure;  ///< in Record::figures
  bool failed = false;
  double seconds = -1;  ///< what the first time took; below 0: it failed, or is still to come
  unsigned repeats = 0;
};

bool has_privileges() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    const auto mask = std::stoull(line.substr(7), nullptr, 16);
    constexpr unsigned long long kNetAdmin = 1ULL << 12U;
    constexpr unsigned long long kSysAdmin = 1ULL << 21U;
    return (mask & kNetAdmin) != 0 && (mask & kSysAdmin) != 0;
  }
  return false;
}

std::string percent(double share) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.0f%%", share * 100);
  return text.data();
}

/// What others do on this machine now, before anything of ours runs.
Result<void> look_at_load(const Settings& settings, const Watch& watch, Record& record) {
  const Load load = measure_load(settings.quick ? kLoadWindow / 2 : kLoadWindow);
  record.machine["busy_before"] = load.busy;
  record.machine["stolen_before"] = load.stolen;
  const double taken = std::max(load.busy, load.stolen);
  if (taken <= kBusyShare) return {};
  const std::string what = "other programs take " + percent(taken) + " of the processors";
  if (!settings.although_busy && !settings.quick) {
    return fail(Error::of(Errc::busy, what,
                          "wait until the machine is idle, or measure with --although-busy: the "
                          "results will say so"));
  }
  record.notes.push_back("The machine was busy: " + what +
                         " when the run began. Times are too long and spread too far.");
  if (watch.warn) watch.warn(what + ": the times will be too long, and spread too far");
  return {};
}

Result<void> enter_own_place() {
  if (!has_privileges()) {
    if (auto done = baselines::enter_user_namespace(); !done) return done;
  }
  // Pins and records live below a /run that nobody else sees: a kill leaves nothing.
  return baselines::enter_private_mounts();
}

Json settings_json(const Settings& settings) {
  Json names = Json::array();
  for (const auto* design : settings.designs) names.push_back(design->name);
  return {{"designs", std::move(names)},
          {"endpoints", settings.endpoints},
          {"containers", settings.containers},
          {"repeats", settings.repeats},
          {"quick", settings.quick},
          {"budget_s", settings.budget ? Json(settings.budget->count()) : Json(nullptr)}};
}

Record begin_record(const Settings& settings) {
  Record record;
  record.program = std::string("particle ") + kVersion;
  record.machine = machine();
  record.settings = settings_json(settings);
  for (const auto* design : settings.designs) {
    record.designs.push_back({std::string(design->name), std::string(design->title),
                              std::string(design->what), std::string(design->paper), design->most,
                              std::string(design->limit), design->kind});
  }
  return record;
}

const std::vector<std::uint64_t>& sizes_for(const Settings& settings, const Design& design) {
  return design.kind == Kind::containers ? settings.containers : settings.endpoints;
}

/// What is to be measured; what cannot be is recorded with the reason.
std::vector<Task> make_tasks(const Settings& settings, Record& record) {
  std::vector<Task> tasks;
  for (const auto* design : settings.designs) {
    if (const auto missing = missing_for(*design); !missing.empty()) {
      record.skipped.push_back({std::string(design->name), 0, missing});
      continue;
    }
    for (const auto endpoints : sizes_for(settings, *design)) {
      if (endpoints > design->most) {
        record.skipped.push_back(
            {std::string(design->name), endpoints, std::string(design->limit)});
        continue;
      }
      Figure figure;
      figure.design = design->name;
      figure.endpoints = endpoints;
      tasks.push_back({design, endpoints, record.figures.size()});
      record.figures.push_back(std::move(figure));
    }
  }
  return tasks;
}

class Run {
 public:
  Run(const Settings& settings, const Watch& watch, Record& record, std::vector<Task> tasks)
      : settings_(settings), watch_(watch), record_(record), tasks_(std::move(tasks)) {
    for (auto& task : tasks_) task.repeats = settings_.repeats;
    all_ = tasks_.size() * settings_.repeats;
  }

  Result<void> all_rounds(const Testbed& bed);

 private:
  /// False when it was stopped.
  bool warm_up(const Testbed& bed);
  bool round(const Testbed& bed, unsigned number);
  bool measure(const Testbed& bed, Task& task);
  void give_up(Task& task, const Error& error);
  void tell(const Task& task);
  /// After the first round: how often each task is measured in the time that is left.
  void allot_rounds(double spent_s);

  const Settings& settings_;
  const Watch& watch_;
  Record& record_;
  std::vector<Task> tasks_;
  std::size_t done_ = 0;
  std::size_t all_ = 0;  ///< measurements, as far as is known
};

void Run::tell(const Task& task) {
  if (!watch_.progress) return;
  watch_.progress(std::string(task.design->name) + ", N = " + std::to_string(task.endpoints), done_,
                  all_);
}

void Run::give_up(Task& task, const Error& error) {
  task.failed = true;
  const std::string why = error.message() + (error.hint.empty() ? "" : " (" + error.hint + ")");
  record_.skipped.push_back({std::string(task.design->name), task.endpoints, why});
  if (watch_.warn) {
    watch_.warn(std::string(task.design->name) + ", N = " + std::to_string(task.endpoints) + ": " +
                why);
  }
}

bool Run::warm_up(const Testbed& bed) {
  for (const auto* design : settings_.designs) {
    if (watch_.stop.stop_requested()) return false;
    if (!missing_for(*design).empty()) continue;
    const auto& sizes = sizes_for(settings_, *design);
    const auto most = *std::max_element(sizes.begin(), sizes.end());
    const auto warm =
        design->kind == Kind::containers ? kWarmUpContainers : std::min(most, kWarmUpEndpoints);
    // A failure shows again, and is recorded, when it is measured.
    static_cast<void>(design->measure(bed, {warm, {}, watch_.stop}));
  }
  return !watch_.stop.stop_requested();
}

bool Run::measure(const Testbed& bed, Task& task) {
  if (watch_.stop.stop_requested()) return false;
  tell(task);
  Order order{task.endpoints, {}, watch_.stop};
  const auto start = Clock::now();
  const auto sample = task.design->measure(bed, order);
  if (task.seconds < 0 && sample) task.seconds = to_ms(Clock::now() - start) / 1000;
  ++done_;
  if (sample) {
    add(record_.figures.at(task.figure), *sample);
  } else if (watch_.stop.stop_requested()) {
    return false;
  } else {
    give_up(task, sample.error());
  }
  return true;
}

/// Each round begins one further, and every other one goes backwards: no design always follows the
/// same other one.
bool Run::round(const Testbed& bed, unsigned number) {
  const std::size_t all = tasks_.size();
  for (std::size_t i = 0; i < all; ++i) {
    const std::size_t place = (i + number) % all;
    Task& task = tasks_.at(number % 2 == 0 ? place : all - 1 - place);
    const bool due = !task.failed && is_due(task.repeats, settings_.repeats, number);
    if (due && !measure(bed, task)) return false;
  }
  return true;
}

void Run::allot_rounds(double spent_s) {
  if (!settings_.budget) return;
  std::vector<double> seconds;
  seconds.reserve(tasks_.size());
  for (const auto& task : tasks_) seconds.push_back(task.seconds);
  const double left = static_cast<double>(settings_.budget->count()) - spent_s;
  const auto allotted = allot(seconds, settings_.repeats, left);
  std::size_t fewer = 0;
  all_ = 0;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    tasks_[i].repeats = allotted[i];
    all_ += allotted[i];
    if (!tasks_[i].failed && allotted[i] < settings_.repeats) ++fewer;
  }
  if (fewer == 0) return;
  record_.notes.push_back("There was not time for " + std::to_string(settings_.repeats) +
                          " repeats of everything: " + std::to_string(fewer) + " of " +
                          std::to_string(tasks_.size()) +
                          " figures, those that take longest, have fewer.");
}

Result<void> Run::all_rounds(const Testbed& bed) {
  if (!warm_up(bed)) return {};
  const auto start = Clock::now();
  unsigned number = 0;
  for (; number < settings_.repeats; ++number) {
    if (number == 1) allot_rounds(to_ms(Clock::now() - start) / 1000);
    if (!round(bed, number)) return {};
    if (watch_.checkpoint) watch_.checkpoint(record_);
  }
  record_.complete = true;
  return {};
}

/// What was never measured has no figure.
void drop_empty_figures(Record& record) {
  std::erase_if(record.figures, [](const Figure& figure) { return figure.setup_ms.empty(); });
}

}  // namespace

Result<Record> conduct(const Settings& settings, const Watch& watch) {
  Record record = begin_record(settings);
  if (auto ok = look_at_load(settings, watch, record); !ok) return fail(std::move(ok.error()));
  if (auto done = enter_own_place(); !done) return fail(std::move(done.error()));
  {
    auto bed = Testbed::make("/run");
    if (!bed) return fail(std::move(bed.error()));
    Run run(settings, watch, record, make_tasks(settings, record));
    if (auto done = run.all_rounds(*bed); !done) return fail(std::move(done.error()));
  }
  const Load after = measure_load(std::chrono::milliseconds(500));
  record.machine["busy_after"] = after.busy;
  record.machine["stolen_after"] = after.stolen;
  if (!record.complete) record.notes.emplace_back("The run was interrupted.");
  drop_empty_figures(record);
  return record;
}

}  // namespace particle::bench
