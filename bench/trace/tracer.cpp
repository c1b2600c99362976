// SPDX-License-Identifier: Apache-2.0
#include "trace/tracer.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "libbpf/bpf_error.hpp"
#include "trace/collect.hpp"
#include "trace/link.hpp"
#include "trace/program_time.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "trace.skel.h"
#pragma GCC diagnostic pop

namespace particle::trace {
namespace {

namespace fs = std::filesystem;

using bpf::bpf_error;

struct DestroySkeleton {
  void operator()(trace_bpf* skeleton) const { trace_bpf__destroy(skeleton); }
};

UniqueFd open_clock(int processor, unsigned hertz) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.freq = 1;
  attributes.sample_freq = hertz;
  return UniqueFd(static_cast<int>(
      ::syscall(SYS_perf_event_open, &attributes, -1, processor, -1, PERF_FLAG_FD_CLOEXEC)));
}

bool has_tracepoint(const char* name) {
  return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP) > 0;
}

}  // namespace

struct Tracer::State {
  std::unique_ptr<trace_bpf, DestroySkeleton> skeleton;
  std::vector<Link> links;
  UniqueFd statistics;  ///< keeps the kernel counting the time of eBPF programs
  std::chrono::steady_clock::time_point start;
  unsigned hertz = 0;
  std::vector<std::string> missing;
  std::optional<FunctionTracer> functions;

  Result<void> load();
  Result<void> attach(bpf_program* program);
  void sample(unsigned frequency);
  void read_marks(const std::vector<std::string>& programs);
  [[nodiscard]] double programs_ms() const;
};

Result<void> Tracer::State::load() {
  skeleton.reset(trace_bpf__open());
  if (!skeleton) return fail(bpf_error(errno, "open the tracer's eBPF object"));
  if (!has_tracepoint("contention_begin")) {
    bpf_program__set_autoload(skeleton->progs.on_wait, false);
    bpf_program__set_autoload(skeleton->progs.on_wait_end, false);
    missing.emplace_back("lock contention tracepoints (Linux 5.19): no table of locks");
  }
  if (const int error = trace_bpf__load(skeleton.get()); error != 0) {
    return fail(bpf_error(-error, "load the tracer's eBPF programs",
                          "it needs CAP_BPF and CAP_PERFMON (run it with sudo), and Linux 5.5 with "
                          "BTF (CONFIG_DEBUG_INFO_BTF)"));
  }
  return {};
}

Result<void> Tracer::State::attach(bpf_program* program) {
  if (!bpf_program__autoload(program)) return {};
  Link link(bpf_program__attach(program));
  if (!link) {
    return fail(bpf_error(errno, std::string("attach ") + bpf_program__name(program)));
  }
  links.push_back(std::move(link));
  return {};
}

void Tracer::State::sample(unsigned frequency) {
  const auto processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF));
  for (int processor = 0; processor < processors; ++processor) {
    UniqueFd clock = open_clock(processor, frequency);
    if (!clock.valid() && errno == ENODEV) continue;  // it is offline
    Link link(clock.valid() ? bpf_program__attach_perf_event(skeleton->progs.on_sample, clock.get())
                            : nullptr);
    if (!link) {
      missing.push_back(std::string("perf events (") + std::strerror(errno) +
                        "): time on a processor is not divided by what the kernel did");
      return;
    }
    (void)clock.release();  // the link closes it
    links.push_back(std::move(link));
  }
  hertz = frequency;
}

/// A program without marks is none to worry about.
void Tracer::State::read_marks(const std::vector<std::string>& programs) {
  for (const auto& path : programs) {
    Link begin(bpf_program__attach_usdt(skeleton->progs.on_step_begin, -1, path.c_str(), "particle",
                                        "step_begin", nullptr));
    if (!begin) {
      const std::string words = bpf::take_last_words();
      if (errno != ENOENT && errno != EINVAL) {
        missing.push_back("the step marks of " + path + " (" + std::strerror(errno) + ")" +
                          (words.empty() ? "" : ": " + words));
      }
      continue;
    }
    Link end(bpf_program__attach_usdt(skeleton->progs.on_step_end, -1, path.c_str(), "particle",
                                      "step_end", nullptr));
    if (!end) continue;
    links.push_back(std::move(begin));
    links.push_back(std::move(end));
  }
}

double Tracer::State::programs_ms() const {
  if (!statistics.valid()) return 0;
  return trace::programs_ms(skeleton->obj) + functions->programs_ms();
}

Tracer::Tracer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tracer::Tracer(Tracer&&) noexcept = default;
Tracer& Tracer::operator=(Tracer&&) noexcept = default;
Tracer::~Tracer() = default;

Result<Tracer> Tracer::start(const TracerOptions& options) {
  bpf::listen_to_libbpf();
  auto state = std::make_unique<State>();
  if (auto done = state->load(); !done) return fail(std::move(done.error()));
  state->statistics = UniqueFd(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!state->statistics.valid()) {
    state->missing.emplace_back(
        "statistics of eBPF programs (Linux 5.8): own overhead is not known");
  }
  auto& programs = state->skeleton->progs;
  // Marks first: a thread that is followed is seen in its step from the beginning.
  state->read_marks(options.marked_programs);
  for (bpf_program* program : {programs.on_switch, programs.on_fork, programs.on_exec,
                               programs.on_wait, programs.on_wait_end}) {
    if (auto done = state->attach(program); !done) return fail(std::move(done.error()));
  }
  state->functions = FunctionTracer::start(
      options.functions, bpf_map__fd(state->skeleton->maps.tasks), state->missing);
  bpf::take_last_words();  // of what was tried there
  state->sample(options.hertz);
  state->start = std::chrono::steady_clock::now();
  return Tracer(std::move(state));
}

Result<void> Tracer::follow(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process) + "/task";
  const int tasks = bpf_map__fd(state_->skeleton->maps.tasks);
  std::error_code error;
  bool any = false;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const int thread = std::stoi(entry.path().filename());
    const pt_task fresh{};
    if (bpf_map_update_elem(tasks, &thread, &fresh, BPF_ANY) != 0) {
      return fail(bpf_error(errno, "follow thread " + std::to_string(thread)));
    }
    any = true;
  }
  if (!any) {
    return fail(Error::of(Errc::not_found, "process " + std::to_string(process),
                          "it has ended, or never was"));
  }
  return {};
}

Result<Observations> Tracer::finish() {
  const auto end = std::chrono::steady_clock::now();
  state_->links.clear();
  Observations seen = collect(
      {bpf_map__fd(state_->skeleton->maps.times), bpf_map__fd(state_->skeleton->maps.stacks),
       bpf_map__fd(state_->skeleton->maps.commands), bpf_map__fd(state_->skeleton->maps.locks),
       bpf_map__fd(state_->skeleton->maps.steps), bpf_map__fd(state_->skeleton->maps.counters)});
  seen.wall_ms = std::chrono::duration<double, std::milli>(end - state_->start).count();
  seen.functions = state_->functions->finish();
  if (state_->functions->way() != FunctionWay::none) {
    seen.functions_by = to_string(state_->functions->way());
  }
  seen.hertz = state_->hertz;
  seen.programs_ms = state_->programs_ms();
  seen.missing.insert(seen.missing.begin(), state_->missing.begin(), state_->missing.end());
  return seen;
}

}  // namespace particle::trace
