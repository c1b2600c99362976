// SPDX-License-Identifier: Apache-2.0
/// One notified call: what the caller asked for, and what it gets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <linux/seccomp.h>

#include <particle/unique_fd.hpp>

#include "policy/policy.h"

namespace particle::bind {

/// Whoever else answers calls, while the calling thread waits.
class Colleagues {
 public:
  Colleagues() = default;
  Colleagues(const Colleagues&) = delete;
  Colleagues& operator=(const Colleagues&) = delete;
  virtual ~Colleagues() = default;
  /// The calling thread is about to wait for the network. False when it may not: too many do already.
  virtual bool leave() = 0;
  /// It waits no longer.
  virtual void come_back() = 0;
};

/// What decides the calls that come from one listener.
struct CallContext {
  UniqueFd listener;
  pb_endpoint endpoint = {};
  std::function<void(std::string)> log;
};

/// Decides and answers a notification, on every path.
void answer(const CallContext& context, const seccomp_notif& notification, Colleagues& colleagues);

/// The answer itself. ENOENT, when the caller is gone and nobody waits, is no error.
void respond_to(int listener, std::uint64_t id, std::int64_t value, int error, std::uint32_t flags);

}  // namespace particle::bind
