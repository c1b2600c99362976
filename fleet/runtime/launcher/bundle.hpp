// SPDX-License-Identifier: Apache-2.0
/// OCI bundles for the backends runc and containerd. Pure but for the files that it writes.
#pragma once

#include <string>

#include <particle/result.hpp>

#include "launcher/starter.hpp"
#include "launcher/workplace.hpp"

namespace particle::fleet {

/// Writes PATH/config.json and the files that it binds. The root is PATH/rootfs. `netns`: the path by which the
/// runtime finds the network namespace.
Result<void> write_bundle(const std::string& path, const Workplace& place, const Begin& instance,
                          const std::string& netns);

}  // namespace particle::fleet
