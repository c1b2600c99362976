// SPDX-License-Identifier: Apache-2.0
/// Charts as PNG files, drawn by librsvg's own program.
#pragma once

#include <string>

#include <particle/result.hpp>

namespace particle::cli {

/// Errors: not_found where there is no rsvg-convert; kernel when it fails; those of writing `path`.
Result<void> write_png(const std::string& svg, const std::string& path);

}  // namespace particle::cli
