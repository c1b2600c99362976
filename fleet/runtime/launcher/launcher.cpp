// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/launcher.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>

#include <unistd.h>

#include "launcher/builtin.hpp"
#include "launcher/local_job.hpp"
#include "launcher/place.hpp"
#include "launcher/program.hpp"
#include "launcher/runtime.hpp"

namespace particle::fleet {
namespace {

constexpr std::array<std::pair<std::string_view, Backend>, 3> kNames = {
    {{"builtin", Backend::builtin}, {"runc", Backend::runc}, {"containerd", Backend::containerd}}};

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "node";
}

/// What keeps instances to their endpoints; and why, where it is not what one would like best.
std::string in_words(const bind::Choice& choice, bind::Mechanism asked) {
  if (choice.mechanism == bind::Mechanism::off) return "not kept to it";
  std::string words = "kept to it by " + std::string(bind::to_string(choice.mechanism));
  const bool fell_back =
      asked == bind::Mechanism::automatic && choice.mechanism != bind::Mechanism::ebpf;
  return fell_back ? words + ": " + choice.reason : words;
}

std::string default_program(Backend backend) {
  return backend == Backend::runc ? "runc" : "ctr";
}

}  // namespace

std::string_view to_string(Backend backend) noexcept {
  for (const auto& [name, value] : kNames) {
    if (value == backend) return name;
  }
  return "?";
}

Result<Backend> parse_backend(std::string_view text) {
  for (const auto& [name, value] : kNames) {
    if (name == text) return value;
  }
  return fail(Error::of(Errc::invalid_argument, "backend " + std::string(text),
                        "choose one of builtin, runc, containerd"));
}

struct Launcher::State {
  std::shared_ptr<const Node> node;
  LauncherOptions options;
  std::mutex lock;
  std::vector<bind::EndpointGroup> kept;  ///< the enforcer's programs stay loaded between jobs

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { static_cast<void>(bind::remove_endpoint_groups(node->run_dir(), node->id(), kept)); }
  Result<void> keep_programs() {
    const std::lock_guard guard(lock);
    if (!kept.empty()) return {};
    auto group = bind::keep_programs(node->run_dir(), node->id());
    if (!group) return fail(group.error());
    kept.push_back(*std::move(group));
    return {};
  }
};

Result<Launcher> Launcher::open(Node node, LauncherOptions options) {
  if (options.name.empty()) options.name = host_name();
  if (options.backend == Backend::builtin) {
    if (const auto program = find_spawner(); !program) return fail(program.error());
  } else {
    if (options.program.empty()) options.program = default_program(options.backend);
    if (options.containerd.empty()) options.containerd = "/run/containerd/containerd.sock";
    if (auto said = run_program({options.program, "--version"}); !said) return fail(said.error());
  }
  auto state = std::make_unique<State>();
  state->node = std::make_shared<const Node>(std::move(node));
  state->options = std::move(options);
  Launcher launcher(std::move(state));
  if (const auto swept = launcher.sweep(); !swept) return fail(swept.error());
  return launcher;
}

Launcher::Launcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Launcher::Launcher(Launcher&&) noexcept = default;
Launcher& Launcher::operator=(Launcher&&) noexcept = default;
Launcher::~Launcher() = default;

Result<std::unique_ptr<RunningJob>> Launcher::start(const JobSpec& job,
                                                    JobObserver& observer) const {
  if (auto ok = check_job(job); !ok) return fail(ok.error());
  const Node& node = *state_->node;
  Result<PoolInfo> pool = node.find_pool(job.pool);
  if (!pool) return fail(pool.error());
  Result<bind::Choice> choice = bind::choose(job.function.enforce);
  if (!choice) return fail(choice.error());
  if (choice->mechanism == bind::Mechanism::ebpf) {
    if (auto ok = state_->keep_programs(); !ok) return fail(ok.error());
  }
  Result<Image> image = open_image(job.function.image, node.run_dir() + "/fleet-images");
  if (!image) return fail(image.error());
  Result<JobPlace> place = JobPlace::claim(node, job.id);
  if (!place) return fail(place.error());
  const Workplace workplace{&node, job, *pool, image->layers, place->stage(), choice->mechanism};
  const LauncherOptions& options = state_->options;
  Result<std::unique_ptr<Starter>> backend =
      options.backend == Backend::builtin
          ? Builtin::open(workplace)
          : Runtime::open(workplace, {options.backend == Backend::containerd, options.program,
                                      options.containerd});
  if (!backend) return fail(backend.error());
  if (auto ok = place->record((*backend)->process(), job.pool); !ok) return fail(ok.error());
  LocalJobParts parts{state_->node,
                      state_->options.name,
                      job,
                      *std::move(pool),
                      *std::move(image),
                      *std::move(place),
                      *std::move(backend),
                      in_words(*choice, job.function.enforce)};
  auto running = std::make_unique<LocalJob>(std::move(parts), observer);
  if (auto ok = running->run(); !ok) return fail(ok.error());
  return running;
}

Result<std::uint64_t> Launcher::free_endpoints(const std::string& pool) const {
  const Result<PoolInfo> info = state_->node->find_pool(pool);
  if (!info) return fail(info.error());
  const Result<std::uint64_t> leased = state_->node->count_leases(pool);
  if (!leased) return fail(leased.error());
  return info->capacity - std::min(info->capacity, *leased);
}

Result<std::vector<std::string>> Launcher::sweep() const {
  return sweep_places(*state_->node);
}

}  // namespace particle::fleet
