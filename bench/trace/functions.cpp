// SPDX-License-Identifier: Apache-2.0
#include "trace/functions.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "trace/bpf/shared.h"
#include "trace/link.hpp"
#include "trace/program_time.hpp"
#include "trace/symbols.hpp"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "functions.skel.h"
#pragma GCC diagnostic pop

namespace particle::trace {
namespace {

/// What is worth an exact figure, by the names it has had, newest first.
struct Watched {
  const char* what;
  std::array<const char*, 3> names;
};
constexpr std::array<Watched, PT_FUNCTIONS> kWatched{{
    {"creating a network namespace", {"copy_net_ns", nullptr, nullptr}},
    {"a request to create a device", {"rtnl_newlink", nullptr, nullptr}},
    {"moving a device between namespaces",
     {"netif_change_net_namespace", "__dev_change_net_namespace", "dev_change_net_namespace"}},
    {"taking the rtnl lock", {"rtnl_lock", nullptr, nullptr}},
    {"waiting for packets in flight", {"synchronize_net", nullptr, nullptr}},
    {"a request to insert an address", {"inet_rtm_newaddr", nullptr, nullptr}},
    {"starting a thread or process", {"kernel_clone", "_do_fork", nullptr}},
    {"becoming another program", {"bprm_execve", "__do_execve_file", nullptr}},
}};

struct DestroyFunctions {
  void operator()(functions_bpf* skeleton) const { functions_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<functions_bpf, DestroyFunctions>;

/// The name that this kernel knows the function by; null when by none.
const char* name_here(const Watched& watched, FunctionWay way, const Symbols& symbols) {
  for (const char* name : watched.names) {
    if (name == nullptr) break;  // the rest of the array
    const bool known = way == FunctionWay::fentry
                           ? libbpf_find_vmlinux_btf_id(name, BPF_TRACE_FENTRY) > 0
                           : symbols.contains(name);
    if (known) return name;
  }
  return nullptr;
}

bpf_program* program_of(const Skeleton& skeleton, const char* beginning, std::size_t number) {
  const std::string name = beginning + std::to_string(number);
  return bpf_object__find_program_by_name(skeleton->obj, name.c_str());
}

}  // namespace

struct FunctionTracer::State {
  Skeleton skeleton;
  std::vector<Link> links;
  std::array<const char*, PT_FUNCTIONS> names{};
  FunctionWay way = FunctionWay::none;

  /// False with errno when this kernel does not have the way.
  bool attach(FunctionWay wanted, int tasks);
  bool choose_programs(FunctionWay wanted);
  bool attach_one(FunctionWay wanted, std::size_t number);
};

bool FunctionTracer::State::choose_programs(FunctionWay wanted) {
  const bool fentry = wanted == FunctionWay::fentry;
  const Symbols symbols = fentry ? Symbols() : Symbols::of_kernel();
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoload(program, false);
  bool any = false;
  for (std::size_t i = 0; i < kWatched.size(); ++i) {
    names.at(i) = name_here(kWatched.at(i), wanted, symbols);
    if (names.at(i) == nullptr) continue;
    any = true;
    for (const char* beginning :
         {fentry ? "enter_" : "kprobe_enter_", fentry ? "leave_" : "kprobe_leave_"}) {
      program = program_of(skeleton, beginning, i);
      bpf_program__set_autoload(program, true);
      if (fentry && bpf_program__set_attach_target(program, 0, names.at(i)) != 0) return false;
    }
  }
  if (!any) errno = ENOENT;
  return any;
}

bool FunctionTracer::State::attach_one(FunctionWay wanted, std::size_t number) {
  const bool fentry = wanted == FunctionWay::fentry;
  for (const bool leaves : {true, false}) {
    const std::string beginning =
        std::string(fentry ? "" : "kprobe_") + (leaves ? "leave_" : "enter_");
    bpf_program* program = program_of(skeleton, beginning.c_str(), number);
    Link link(fentry ? bpf_program__attach_trace(program)
                     : bpf_program__attach_kprobe(program, leaves, names.at(number)));
    if (!link) return false;
    links.push_back(std::move(link));
  }
  return true;
}

bool FunctionTracer::State::attach(FunctionWay wanted, int tasks) {
  links.clear();
  skeleton.reset(functions_bpf__open());
  if (!skeleton || !choose_programs(wanted)) return false;
  if (bpf_map__reuse_fd(skeleton->maps.tasks, tasks) != 0) return false;
  if (const int error = functions_bpf__load(skeleton.get()); error != 0) {
    errno = -error;
    return false;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names.at(i) == nullptr) continue;
    // A function that cannot be probed (inlined, or marked so) is left out; where none can, the
    // kernel does not have this way.
    if (!attach_one(wanted, i)) names.at(i) = nullptr;
  }
  if (links.empty()) return false;
  way = wanted;
  return true;
}

FunctionTracer::FunctionTracer(std::unique_ptr<State> state) : state_(std::move(state)) {}
FunctionTracer::FunctionTracer(FunctionTracer&&) noexcept = default;
FunctionTracer& FunctionTracer::operator=(FunctionTracer&&) noexcept = default;
FunctionTracer::~FunctionTracer() = default;

FunctionTracer FunctionTracer::start(FunctionWay wanted, int tasks,
                                     std::vector<std::string>& missing) {
  FunctionTracer tracer(std::make_unique<State>());
  if (wanted == FunctionWay::none) return tracer;
  std::string tried;
  for (const FunctionWay way : {FunctionWay::fentry, FunctionWay::kprobe}) {
    if (wanted != FunctionWay::automatic && wanted != way) continue;
    if (tracer.state_->attach(way, tasks)) return tracer;
    tried +=
        (tried.empty() ? "" : ", ") + std::string(to_string(way)) + ": " + std::strerror(errno);
  }
  tracer.state_->links.clear();
  tracer.state_->skeleton.reset();
  missing.push_back("exact times of kernel functions (" + tried +
                    "): what the kernel did is told from stacks alone");
  return tracer;
}

FunctionWay FunctionTracer::way() const {
  return state_->way;
}

std::vector<FunctionTime> FunctionTracer::finish() {
  std::vector<FunctionTime> out;
  if (state_->way == FunctionWay::none) return out;
  state_->links.clear();
  const int map = bpf_map__fd(state_->skeleton->maps.functions);
  for (std::uint32_t i = 0; i < PT_FUNCTIONS; ++i) {
    pt_time time{};
    if (bpf_map_lookup_elem(map, &i, &time) != 0 || time.hits == 0) continue;
    out.push_back(
        {state_->names.at(i), kWatched.at(i).what, time.hits, static_cast<double>(time.ns) / 1e6});
  }
  return out;
}

double FunctionTracer::programs_ms() const {
  return state_->skeleton ? trace::programs_ms(state_->skeleton->obj) : 0;
}

std::string_view to_string(FunctionWay way) noexcept {
  switch (way) {
    case FunctionWay::automatic:
      return "auto";
    case FunctionWay::fentry:
      return "fentry";
    case FunctionWay::kprobe:
      return "kprobe";
    case FunctionWay::none:
      break;
  }
  return "none";
}

}  // namespace particle::trace
