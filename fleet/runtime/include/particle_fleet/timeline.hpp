// SPDX-License-Identifier: Apache-2.0
/// A picture of a job: when each of its instances was in which phase.
#pragma once

#include <string>
#include <vector>

#include <particle_fleet/event.hpp>

namespace particle::fleet {

/// An SVG document: a row for each instance, by the time at which it ran, coloured by phase; beyond some
/// hundreds each row stands for several, and shows the middle one. Pure. Light and dark.
std::string draw_timeline(const std::vector<Event>& events);

}  // namespace particle::fleet
