// SPDX-License-Identifier: Apache-2.0
/// Events inside other JSON. Pure; docs/json-schema/fleet-event.json.
#pragma once

#include <particle_fleet/event.hpp>

#include "model/object_reader.hpp"

namespace particle::fleet {

Json event_to_json(const Event& event);
/// Errors: invalid_argument, naming every wrong key.
Result<Event> event_from_json(const Json& value);

}  // namespace particle::fleet
