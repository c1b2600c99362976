// SPDX-License-Identifier: Apache-2.0
/// Measurements as text for a terminal. Pure.
#pragma once

#include <string>

#include "harness/compare.hpp"
#include "harness/record.hpp"

#include "output.hpp"

namespace particle::cli {

std::string bench_to_text(const bench::Record& record, const Style& style);
std::string comparison_to_text(const bench::RunComparison& comparison,
                               const bench::ComparisonOptions& options, const Style& style);

}  // namespace particle::cli
