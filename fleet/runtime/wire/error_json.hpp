// SPDX-License-Identifier: Apache-2.0
/// Errors as JSON, so that a client sees what the agent saw. Pure.
#pragma once

#include "model/object_reader.hpp"

namespace particle::fleet {

Json error_to_json(const Error& error);
/// What is missing stays empty; a kind that is not known reads as Errc::protocol.
Error error_from_json(const Json& value);

}  // namespace particle::fleet
