// SPDX-License-Identifier: Apache-2.0
/// The names that events, jobs and the protocol use. Pure.
#pragma once

#include <optional>
#include <string_view>

#include <particle_fleet/event.hpp>
#include <particle_fleet/job.hpp>

namespace particle::fleet {

std::string_view to_string(Stream stream) noexcept;
std::optional<Phase> find_phase(std::string_view text) noexcept;
std::optional<Ended> find_ended(std::string_view text) noexcept;
std::optional<Stream> find_stream(std::string_view text) noexcept;

}  // namespace particle::fleet
