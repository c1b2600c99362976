// SPDX-License-Identifier: Apache-2.0
/// The steps of a plan and their times, as text. Named after figure 3.1 of the dissertation.
#pragma once

#include <chrono>
#include <string>

#include <particle/plan.hpp>

#include "output.hpp"

namespace particle::cli {

/// Why stages S3 and S4, the moves of a veth's ends across namespaces, never appear.
inline constexpr const char* kBornInPlace = "not needed: both ends are born in place";

double to_ms(std::chrono::nanoseconds time) noexcept;
/// Whether a veth was made, so that S3 and S4 are worth a word.
bool makes_a_pool(const Outcome& outcome) noexcept;

std::string plan_to_text(const Plan& plan, const Style& style);
std::string timings_to_text(const Outcome& outcome, const Style& style);

}  // namespace particle::cli
