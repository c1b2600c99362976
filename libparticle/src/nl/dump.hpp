// SPDX-License-Identifier: Apache-2.0
/// Session::dump: one request, many answers, started over while the kernel says they disagree.
#pragma once

#include <functional>

#include <particle/message.hpp>
#include <particle/result.hpp>

#include "nl/conversation.hpp"

namespace particle::nl {

Result<void> dump(Conversation& conversation, const Message& request,
                  const std::function<void(std::span<const std::byte>)>& consume,
                  const std::function<void()>& restart);

}  // namespace particle::nl
