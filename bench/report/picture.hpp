// SPDX-License-Identifier: Apache-2.0
/// The page's charts as files of their own. Pure.
#pragma once

#include <string>
#include <vector>

#include "harness/record.hpp"

namespace particle::bench {

struct Picture {
  std::string name;  ///< "setup": the section that it is from
  std::string svg;   ///< whole: its styles are in it, as literal colours, of the light theme
};

/// Every chart of to_html(), in its order.
std::vector<Picture> pictures(const Record& record);

}  // namespace particle::bench
