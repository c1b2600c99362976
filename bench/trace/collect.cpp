// SPDX-License-Identifier: Apache-2.0
#include "trace/collect.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include <bpf/bpf.h>

#include "trace/symbols.hpp"

namespace particle::trace {
namespace {

using Frames = std::array<std::uint64_t, PT_FRAMES>;

template <std::size_t size>
std::string text_of(const char (&bytes)[size]) {
  return {bytes, strnlen(bytes, size)};
}

template <class Key, class Value, class Visit>
void for_each_element(int map, Visit visit) {
  Key key{};
  Key next{};
  const Key* last = nullptr;
  while (bpf_map_get_next_key(map, last, &next) == 0) {
    key = next;
    last = &key;
    Value value{};
    if (bpf_map_lookup_elem(map, &key, &value) == 0) visit(key, value);
  }
}

/// The tracer's own frames, which stand innermost in what it sees.
bool is_tracers(const std::string& name) {
  for (const char* beginning : {"bpf_", "__bpf_", "__traceiter_", "trace_", "perf_", "__perf_"}) {
    if (name.starts_with(beginning)) return true;
  }
  return name == "?";
}

class Stacks {
 public:
  explicit Stacks(int map) : map_(map), symbols_(Symbols::of_kernel()) {}
  [[nodiscard]] bool has_names() const { return !symbols_.empty(); }

  /// Outermost first, without the tracer's own frames.
  const std::vector<std::string>& at(int id) {
    static const std::vector<std::string> none;
    if (id < 0) return none;
    const auto [found, fresh] = known_.try_emplace(id);
    if (fresh) found->second = read(static_cast<std::uint32_t>(id));
    return found->second;
  }

 private:
  [[nodiscard]] std::vector<std::string> read(std::uint32_t id) const {
    Frames frames{};
    std::vector<std::string> names;
    if (bpf_map_lookup_elem(map_, &id, frames.data()) != 0) return {"?"};
    for (const auto address : frames) {
      if (address == 0) break;
      std::string name = symbols_.name_of(address);
      if (names.empty() && is_tracers(name)) continue;
      names.push_back(std::move(name));
    }
    std::reverse(names.begin(), names.end());
    return names;
  }

  int map_;
  Symbols symbols_;
  std::map<int, std::vector<std::string>> known_;
};

Kind kind_of(unsigned kind) {
  if (kind == PT_BLOCKED) return Kind::blocked;
  return kind == PT_WAITING ? Kind::runnable : Kind::running;
}

using CommandName = std::array<char, PT_COMMAND>;

struct CommandTime {
  double ms = 0;
  double hits = 0;  ///< samples that were taken of it
};

std::map<std::string, CommandTime> read_commands(const Maps& maps) {
  std::map<std::string, CommandTime> out;
  for_each_element<CommandName, pt_command>(
      maps.commands, [&](const auto& name, const auto& value) {
        out[std::string(name.data(), strnlen(name.data(), name.size()))].ms =
            static_cast<double>(value.on_cpu_ns) / 1e6;
      });
  for_each_element<pt_key, pt_time>(maps.times, [&](const pt_key& key, const pt_time& time) {
    if (key.kind == PT_SAMPLED) out[text_of(key.command)].hits += static_cast<double>(time.hits);
  });
  return out;
}

/// Samples say where, exact times say how long: each command's time on a processor is divided among
/// its samples.
void read_times(const Maps& maps, Stacks& stacks, Observations& out) {
  auto commands = read_commands(maps);
  for_each_element<pt_key, pt_time>(maps.times, [&](const pt_key& key, const pt_time& time) {
    Entry entry;
    entry.command = text_of(key.command);
    entry.step = text_of(key.step);
    entry.kind = kind_of(key.kind);
    entry.frames = stacks.at(key.stack);
    const auto& command = commands[entry.command];
    entry.ms = key.kind == PT_SAMPLED ? command.ms * static_cast<double>(time.hits) / command.hits
                                      : static_cast<double>(time.ns) / 1e6;
    out.entries.push_back(std::move(entry));
  });
  for (const auto& [name, command] : commands) {
    if (command.hits > 0 || command.ms <= 0) continue;
    out.entries.push_back({name, "", Kind::running, {"[not sampled]"}, command.ms});
  }
}

/// The innermost function that is no part of the lock itself.
std::string taker(const std::vector<std::string>& frames) {
  static constexpr std::array kLockWords{"mutex",    "rwsem",         "down_", "_spin_",
                                         "spinlock", "lock_slowpath", "rcu_",  "percpu"};
  const auto of_lock = [](const std::string& frame) {
    return std::any_of(kLockWords.begin(), kLockWords.end(),
                       [&](const char* word) { return frame.find(word) != std::string::npos; });
  };
  const auto found = std::find_if_not(frames.rbegin(), frames.rend(), of_lock);
  if (found != frames.rend()) return *found;
  return frames.empty() ? "?" : frames.back();
}

void read_locks(const Maps& maps, Stacks& stacks, Observations& out) {
  for_each_element<std::uint64_t, pt_lock>(maps.locks, [&](std::uint64_t, const pt_lock& lock) {
    if (lock.count == 0) return;
    // Locks of one kind (each run queue has one) are one line.
    const std::string where = taker(stacks.at(lock.stack));
    auto line = std::find_if(out.locks.begin(), out.locks.end(),
                             [&](const LockWait& each) { return each.where == where; });
    if (line == out.locks.end()) line = out.locks.insert(line, LockWait{where, 0, 0, 0});
    line->count += lock.count;
    line->ms += static_cast<double>(lock.ns) / 1e6;
    line->longest_ms = std::max(line->longest_ms, static_cast<double>(lock.longest_ns) / 1e6);
  });
  std::sort(out.locks.begin(), out.locks.end(),
            [](const LockWait& a, const LockWait& b) { return a.ms > b.ms; });
}

void read_steps(const Maps& maps, Observations& out) {
  using Name = std::array<char, PT_STEP>;
  for_each_element<Name, pt_time>(maps.steps, [&](const Name& name, const pt_time& time) {
    out.steps.push_back({std::string(name.data(), strnlen(name.data(), name.size())), time.hits,
                         static_cast<double>(time.ns) / 1e6});
  });
  std::sort(out.steps.begin(), out.steps.end(),
            [](const MarkedStep& a, const MarkedStep& b) { return a.name < b.name; });
}

std::uint64_t counter(const Maps& maps, std::uint32_t which) {
  std::uint64_t value = 0;
  (void)bpf_map_lookup_elem(maps.counters, &which, &value);
  return value;
}

}  // namespace

Observations collect(const Maps& maps) {
  Observations out;
  Stacks stacks(maps.stacks);
  if (!stacks.has_names()) {
    out.missing.emplace_back(
        "names of the kernel's functions (sysctl kernel.kptr_restrict=1): times cannot be divided "
        "by what the kernel did");
  }
  read_times(maps, stacks, out);
  read_locks(maps, stacks, out);
  read_steps(maps, out);
  out.forks = counter(maps, PT_FORKS);
  out.execs = counter(maps, PT_EXECS);
  out.lost = counter(maps, PT_LOST_STACKS) + counter(maps, PT_LOST_ENTRIES);
  return out;
}

}  // namespace particle::trace
