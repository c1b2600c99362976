// SPDX-License-Identifier: Apache-2.0
/// What `agent --once` and `agent --forget` print.
#pragma once

#include <cstddef>

#include "agent_request.hpp"
#include "context.hpp"
#include "overlay-adapters/adapter.hpp"
#include "overlay-adapters/reconcile.hpp"

namespace particle::cli {

void print_reconciled(const Context& context, const AgentRequest& request,
                      const overlay::Reconciled& done, const overlay::Health& health);
void print_forgotten(const Context& context, const AgentRequest& request, std::size_t count);

}  // namespace particle::cli
