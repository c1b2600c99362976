// SPDX-License-Identifier: Apache-2.0
/// A trace as text for a terminal. Pure.
#pragma once

#include <string>

#include "trace/trace.hpp"

#include "output.hpp"

namespace particle::cli {

std::string trace_to_text(const trace::Trace& trace, const Style& style);

}  // namespace particle::cli
