// SPDX-License-Identifier: Apache-2.0
/// The built `particle`, and its documented JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/netns_fixture.hpp"

namespace particle::test {

/// Of its documented exit codes, those that tests wait for.
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitInterrupted = 130;

/// $PARTICLE_BINARY, else the one this build made.
std::string particle_program();

/// Runs it: `run_particle({"list-pools"}, &node)`. `environment` holds NAME=VALUE words.
CommandResult run_particle(const std::vector<std::string>& arguments, const NetNs* node = nullptr,
                           const std::vector<std::string>& environment = {});

/// For what it printed.
inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The JSON on stdout; throws with the output when it is none.
nlohmann::json parse_output(const CommandResult& result);

/// Every way in which `value` differs from docs/json-schema/NAME.json; empty when it fits. Knows the
/// part of JSON Schema that those files use.
std::vector<std::string> schema_violations(const nlohmann::json& value, const std::string& name);

}  // namespace particle::test
