// SPDX-License-Identifier: Apache-2.0
/// What must hold, said from what was measured.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/record.hpp"

namespace particle::bench {

struct Statement {
  std::string claim;          ///< "anyip costs the same for any number of endpoints"
  std::optional<bool> holds;  ///< unset: not measured
  std::string measured;       ///< the figures that decide, or what is missing
};

/// Always the same statements in the same order. Pure.
std::vector<Statement> statements(const Record& record);

/// How many times longer `design` takes than `particle`, both with so many endpoints.
std::optional<double> times_slower(const Record& record, std::string_view design,
                                   std::string_view particle, std::uint64_t endpoints);

/// The design that starts the same engine's containers in a pool: "docker-particle" for
/// "docker-bridge". Empty without an engine's name.
std::string pool_beside(std::string_view design);

/// The median share of S3 and S4, the moves, in all six steps; nothing without them.
std::optional<double> share_of_moves(const Figure& figure);

}  // namespace particle::bench
