// SPDX-License-Identifier: Apache-2.0
/// The report: one self-contained page, readable without a network, in light and dark, on a phone.
#pragma once

#include <string>

#include "harness/record.hpp"

namespace particle::bench {

/// The whole HTML file. Pure: what the page says comes from the record alone.
std::string to_html(const Record& record);

/// One line per design, size and quantity, with a header line (RFC 4180).
std::string to_csv(const Record& record);

}  // namespace particle::bench
