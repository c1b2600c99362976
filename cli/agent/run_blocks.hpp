// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <particle/result.hpp>

#include "blocks_request.hpp"
#include "context.hpp"

namespace particle::cli {

/// Does what was asked for, and prints it. Returns the exit code.
Result<int> run_blocks(Context& context, const BlocksRequest& request);

}  // namespace particle::cli
