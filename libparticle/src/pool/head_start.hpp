// SPDX-License-Identifier: Apache-2.0
/// What a create needs from the kernel whatever the records say, made while they are read.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <particle/netns.hpp>

#include "netns/worker.hpp"

namespace particle {

/// The pool's namespace (0.6 ms, nearly all of it in the kernel's setup_net) and a session in the
/// tenant's VTEP, made on a thread of its own while the caller takes its locks, reads records, plans
/// and writes down its intent, which takes half of that.
///
/// Nobody sees any of it before a step pins it: dropped unused, or with the process, it is gone. It
/// never fails: what could not be made is missing here, and the step that needs it makes it itself, or
/// reports why not.
class HeadStart {
 public:
  struct Made {
    std::optional<FreshNetNs> pool;
    std::vector<Sysctl> sysctls;  ///< written in `pool`
    std::optional<FreshNetNs> vtep;
    std::atomic<bool> tenant_is_locked{false};
  };

  HeadStart(std::vector<Sysctl> pool_sysctls, std::string vtep_pin);

  /// From now on the tenant's VTEP is what it is: whoever holds no lock might open one that is just
  /// being replaced. Where the lock comes later than the namespace, the VTEP is left out.
  void tenant_is_locked() { made_->tenant_is_locked.store(true); }

  /// Waits for the thread's end. Once.
  std::unique_ptr<Made> take();

 private:
  std::unique_ptr<Made> made_;
  std::optional<detail::Worker> worker_;  // after what its thread writes to
};

}  // namespace particle
