// SPDX-License-Identifier: Apache-2.0
/// Where the wrapper keeps its records, and which runtime it wraps.
///
/// From the environment (PARTICLE_RUN_DIR, PARTICLE_RUNC, PARTICLE_ENFORCE), else from the settings file, else the
/// defaults: /run/particle, and the first `runc` or `crun` in PATH that is not the wrapper itself.
/// The file is /etc/particle/particle-runc.json, or what PARTICLE_RUNC_CONFIG names:
///
///     { "runtime": "/usr/sbin/runc", "runDir": "/run/particle", "poolFromEnvironment": true,
///       "enforce": "auto" }
#pragma once

#include <optional>
#include <string>

#include <particle/result.hpp>

namespace particle::runtime {

struct Settings {
  std::string runtime;                ///< the real one; empty: search PATH
  std::string run_dir;                ///< absolute
  bool pool_from_environment = true;  ///< may PARTICLE_POOL in a container's environment choose?
  std::string enforce = "auto";       ///< bind enforcement of containers that do not say: auto, ...
  /// What was wrong with the file. Containers that are to be made are refused then; all else goes on
  /// with the defaults, so that what runs can still be stopped and deleted.
  std::optional<Error> problem;
};

Settings load_settings();
/// Pure. Errors: invalid_argument, naming the key.
Result<Settings> parse_settings(const std::string& text);

/// The path of the runtime to execute. Errors: not_found.
Result<std::string> find_runtime(const Settings& settings);

/// Where this runtime keeps its containers when --root is not given.
std::string default_root(const std::string& runtime);

}  // namespace particle::runtime
