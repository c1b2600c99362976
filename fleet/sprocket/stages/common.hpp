// SPDX-License-Identifier: Apache-2.0
/// What several stages need.
#pragma once

#include <particle_sprocket/stage.hpp>

#include "worker/ffmpeg.hpp"
#include "worker/work.hpp"

namespace particle::sprocket {

inline bool always(const nlohmann::json&) {
  return true;
}

/// The text of a parameter, or `otherwise`.
std::string text_of(const nlohmann::json& parameters, const char* name,
                    const std::string& otherwise);

/// Errors: protocol, saying how many frames the stage was to give.
Result<void> expect_frames(const Work& work, std::uint64_t frames);

/// Joins filters with commas, leaving empty ones out.
std::string chain(const std::vector<std::string>& filters);

}  // namespace particle::sprocket
