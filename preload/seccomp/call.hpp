// SPDX-License-Identifier: Apache-2.0
/// One notified call: what the caller asked for, and what it gets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <particle/unique_fd.hpp>

#include "policy/policy.h"
#include "seccomp/in_flight.hpp"

namespace particle::bind {

/// What decides the calls that come from one listener.
struct CallContext {
  std::uint32_t number = 0;  ///< the listener's, in the table of calls in flight
  UniqueFd listener;
  pb_endpoint endpoint = {};
  std::function<void(std::string)> log;
  std::shared_ptr<InFlight> in_flight;
};

/// Decides and answers a notification; every path answers it, or leaves that to the thread of a
/// blocking connect, which then keeps the context.
void answer(const std::shared_ptr<const CallContext>& context, const seccomp_notif& notification);

/// The answer itself. ENOENT, when the caller is gone and nobody waits, is no error.
void respond_to(int listener, std::uint64_t id, std::int64_t value, int error, std::uint32_t flags);

}  // namespace particle::bind
