// SPDX-License-Identifier: Apache-2.0
/// The seam for bind enforcement: what keeps a container of a pool on its own address.
#pragma once

#include <string>

#include <particle/result.hpp>

#include "bundle.hpp"
#include "endpoint.hpp"

namespace particle::runtime {

/// A container whose enforcement is to be prepared.
struct EnforcedContainer {
  const HeldEndpoint& held;
  const BundleFacts& facts;
  const JsonText& config;        ///< the bundle's, as the engine wrote it
  const std::string& directory;  ///< the container's own until release(); plain files in it are
                                 ///< removed with it
};

/// How containers are kept to their endpoints. One is prepared before the real runtime sees its
/// bundle; what is to happen once the container's first process exists, before the container's own
/// program runs, is a createRuntime hook that prepare() adds.
class BindEnforcement {
 public:
  BindEnforcement() = default;
  BindEnforcement(const BindEnforcement&) = delete;
  BindEnforcement& operator=(const BindEnforcement&) = delete;
  virtual ~BindEnforcement() = default;

  /// Adds to `bundle` what makes the container's processes keep to the endpoint. An error refuses the
  /// container.
  virtual Result<void> prepare(BundleChanges& bundle, const EnforcedContainer& container) = 0;
  /// In the process that is about to become the real runtime, to start a further process in the
  /// container whose directory this is; `process` is what changes in that one's description. An error
  /// refuses the process.
  virtual Result<void> join(BundleChanges& process, const std::string& directory) = 0;
  /// The container is gone; also called for one that was not prepared, or never ran. Idempotent.
  virtual Result<void> release(const std::string& directory) = 0;
};

}  // namespace particle::runtime
