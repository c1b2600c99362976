// SPDX-License-Identifier: Apache-2.0
/// The small image that every engine runs: a static busybox.
#pragma once

#include <string>

#include <particle/result.hpp>

namespace particle::bench {

inline constexpr const char* kImage = "particle.bench/box:latest";
/// What its containers do: wait.
inline constexpr const char* kSleep = "1000";

/// Writes an archive as `docker save` does; its path. Errors: not_found, without a busybox; io.
Result<std::string> make_image(const std::string& directory);

}  // namespace particle::bench
