// SPDX-License-Identifier: Apache-2.0
/// Real TCP between endpoints: each call has a listener on the target's own address and a client
/// bound to the source's own. The server answers with its pool's name, its own address and the
/// address it sees the client under; the client compares that with what it should be.
#pragma once

#include <span>

#include "demo/facts.hpp"

namespace particle::cli::demo {

/// One connection to make.
struct Call {
  const Pool* from = nullptr;
  IpAddress source;
  const Pool* to = nullptr;
  IpAddress target;
};

/// Makes every call and adds what came of them to `traffic`.
/// Errors: interrupted, or the errno when sockets cannot be had at all.
Result<void> exchange(std::span<const Call> calls, Traffic& traffic, const Watch& watch);

}  // namespace particle::cli::demo
