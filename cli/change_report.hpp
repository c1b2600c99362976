// SPDX-License-Identifier: Apache-2.0
/// What create-pool, resize-pool and delete-pool print: the plan, or what was done.
#pragma once

#include <string>

#include <particle/plan.hpp>

#include "context.hpp"
#include "json.hpp"

namespace particle::cli {

/// For --dry-run. `nothing_to_do`: the words for a plan without steps. Returns the exit code.
Result<int> report_plan(const Context& context, const std::string& pool, const Result<Plan>& plan,
                        const std::string& nothing_to_do);

/// `pool`: what --json says of it, `text`: what people read, `timings`: whether they asked for them.
void report_change(const Context& context, const Outcome& outcome, const Json& pool,
                   const std::string& text, bool timings);

}  // namespace particle::cli
