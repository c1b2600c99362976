// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/agent.hpp>

namespace particle::fleet {
namespace {

class LauncherRuntime final : public NodeRuntime {
 public:
  explicit LauncherRuntime(Launcher launcher) : launcher_(std::move(launcher)) {}
  Result<std::unique_ptr<RunningJob>> start(const JobSpec& job, JobObserver& observer) override {
    return launcher_.start(job, observer);
  }
  Result<std::uint64_t> free_endpoints(const std::string& pool) override {
    return launcher_.free_endpoints(pool);
  }

 private:
  Launcher launcher_;
};

}  // namespace

std::unique_ptr<NodeRuntime> make_runtime(Launcher launcher) {
  return std::make_unique<LauncherRuntime>(std::move(launcher));
}

}  // namespace particle::fleet
