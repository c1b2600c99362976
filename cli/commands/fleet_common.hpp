// SPDX-License-Identifier: Apache-2.0
/// What the verbs of `particle fleet` share.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "fleet_request.hpp"
#include "options.hpp"

namespace particle::cli {

/// Does it in particle-fleet, and becomes that program elsewhere.
Result<int> run_fleet(Context& context, const FleetRequest& request);

/// --agent, --enforce, --events and --timeline, of whatever starts a job.
void add_start_options(CLI::App& verb, Value& agent, Value& enforce, Value& events,
                       Value& timeline);

/// "64M", "1G", "4096": bytes, with K, M, G or T as powers of 1024. Errors: invalid_argument.
Result<std::uint64_t> parse_bytes(std::string_view text);
/// "5s", "250ms", "2m", "1.5": seconds without a unit. Errors: invalid_argument.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// A number from 0 up.
Result<std::uint64_t> parse_whole(std::string_view text);
/// The launcher's own parser would bring the launcher along.
Result<fleet::Backend> parse_backend_name(std::string_view text);
Result<double> parse_decimal(std::string_view text);

}  // namespace particle::cli
