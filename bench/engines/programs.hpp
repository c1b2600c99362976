// SPDX-License-Identifier: Apache-2.0
/// Where the programs of container engines are.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace particle::bench {

/// Words of a command line; the first is the program.
using Words = std::vector<std::string>;

/// The directory of this program.
std::string own_directory();

/// Below what packaging/components.sh unpacked ($PARTICLE_COMPONENTS, or beside the build), else in
/// PATH and in the system's directories.
std::optional<std::string> find_program(const std::string& name);
/// The same for a directory, such as "usr/lib/cni"; relative to the root.
std::optional<std::string> find_directory(const std::string& path);

/// What engines and their helpers need to find each other: PATH, with `first` before all else, and
/// libraries of what was unpacked.
Words engine_environment(const std::string& first);

}  // namespace particle::bench
