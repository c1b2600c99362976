// SPDX-License-Identifier: Apache-2.0
/// The bind enforcer (preload/) behind the seam.
#pragma once

#include <string>

#include "enforcement.hpp"
#include "settings.hpp"

namespace particle::runtime {

/// Containers are enforced as they, their network's CNI configuration or the settings say, in this
/// order.
class ContainerEnforcement : public BindEnforcement {
 public:
  /// `settings` must outlive it.
  explicit ContainerEnforcement(const Settings& settings) : settings_(settings) {}

  Result<void> prepare(BundleChanges& bundle, const EnforcedContainer& container) override;
  Result<void> join(BundleChanges& process, const std::string& directory) override;
  Result<void> release(const std::string& directory) override;

 private:
  const Settings& settings_;
};

/// What the createRuntime hook runs, with the container's state (OCI) on standard input. `directory`
/// is the container's. Returns the exit code; the error, if any, is on standard error.
int enforce_from_hook(const std::string& directory);

}  // namespace particle::runtime
