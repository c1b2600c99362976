// SPDX-License-Identifier: Apache-2.0
/// One notified call: what the caller asked for, and what it gets.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <linux/seccomp.h>

#include <particle/unique_fd.hpp>

#include "policy/policy.h"

namespace particle::bind {

/// What decides a call. The listener is shared with threads that wait in a connect for their caller.
struct CallContext {
  std::shared_ptr<const UniqueFd> listener;
  pb_endpoint endpoint = {};
  std::function<void(std::string)> log = [](const std::string&) {};
};

/// Decides and answers one notification; every path answers it, or leaves that to the thread of a
/// blocking connect.
void answer(const CallContext& context, const seccomp_notif& notification);

}  // namespace particle::bind
