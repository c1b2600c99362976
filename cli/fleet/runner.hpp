// SPDX-License-Identifier: Apache-2.0
/// What `fleet run` needs for one function and for stages alike.
#pragma once

#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <particle_fleet/client.hpp>
#include <particle_fleet/launcher.hpp>

#include "context.hpp"
#include "fleet_request.hpp"
#include "overlay-adapters/agent/signals.hpp"
#include "progress.hpp"

namespace particle::cli {

/// An agent, or this node's launcher. Has to outlive its jobs.
class Runner {
 public:
  /// The agent that was asked for, else this node's when one runs here, else the launcher.
  static Result<Runner> open(const Context& context, const FleetRunRequest& request);
  Result<std::unique_ptr<fleet::RunningJob>> start(const fleet::JobSpec& job,
                                                   fleet::JobObserver& observer);
  [[nodiscard]] bool has_agent() const noexcept { return client_.has_value(); }

 private:
  std::optional<fleet::Client> client_;
  std::optional<fleet::Launcher> launcher_;
};

/// --events and --timeline. Opened before anything starts: a job whose results cannot be kept does not
/// begin.
class EventFiles {
 public:
  static Result<EventFiles> open(const FleetRunRequest& request);
  [[nodiscard]] bool wanted() const { return events_ || timeline_; }
  Result<void> write(const std::vector<fleet::Event>& events);

 private:
  std::string events_path_, timeline_path_;
  std::optional<std::ofstream> events_, timeline_;
};

struct Waited {
  Result<void> ended;
  bool interrupted = false;
};

/// Runs `wait` to its end in another thread, calls `draw` ten times a second meanwhile, and `kill` at the
/// first SIGINT or SIGTERM. A second one ends the program.
Waited wait_for_end(const std::function<Result<void>()>& wait, const std::function<void()>& kill,
                    const std::function<void(Progress&)>& draw, overlay::Signals& signals);

}  // namespace particle::cli
