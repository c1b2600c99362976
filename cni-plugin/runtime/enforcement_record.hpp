// SPDX-License-Identifier: Apache-2.0
/// What is to be enforced for a container: written before the real runtime is called, read by the
/// createRuntime hook and by whoever starts a further process. `enforcement.json` in the container's
/// directory.
#pragma once

#include <optional>
#include <string>

#include <particle/result.hpp>
#include <particle_bind/enforce.hpp>

namespace particle::runtime {

struct EnforcementRecord {
  std::string container;  ///< unique on the node: the name of the container's directory
  bind::EnforceSpec
      spec;  ///< of the lease: pool, holder and endpoint; mechanism, policy, allow_raw
  std::string netns_path;  ///< the endpoint's
};

std::string enforcement_path(const std::string& directory);
std::string to_text(const EnforcementRecord& record);
/// Errors: corrupt_state, naming `path`.
Result<EnforcementRecord> parse_enforcement(const std::string& text, const std::string& path);
/// nullopt when the container is not enforced. Errors: corrupt_state, io.
Result<std::optional<EnforcementRecord>> read_enforcement(const std::string& directory);

}  // namespace particle::runtime
