// SPDX-License-Identifier: Apache-2.0
/// The seam for bind enforcement: what keeps a container of a pool on its own address.
#pragma once

#include <memory>
#include <string>

#include <particle/pool.hpp>
#include <particle/result.hpp>

#include "bundle.hpp"

namespace particle::runtime {

/// One mechanism. A container is prepared before the real runtime sees its bundle.
class BindEnforcement {
 public:
  BindEnforcement() = default;
  BindEnforcement(const BindEnforcement&) = delete;
  BindEnforcement& operator=(const BindEnforcement&) = delete;
  virtual ~BindEnforcement() = default;

  /// Adds to `bundle` what makes the container's processes keep to `endpoint`: variables, mounts,
  /// hooks. An error refuses the container. `directory` is the container's own until release();
  /// plain files in it are removed with it.
  virtual Result<void> prepare(BundleChanges& bundle, const Endpoint& endpoint,
                               const std::string& directory) = 0;
  /// The container is gone; also called for one that was prepared and never ran. Idempotent.
  virtual Result<void> release(const std::string& directory) = 0;
};

}  // namespace particle::runtime
