// SPDX-License-Identifier: Apache-2.0
/// SIGINT and SIGTERM as a stop request, for verbs that can roll back.
#pragma once

#include <stop_token>

namespace particle::cli {

/// From now on the first SIGINT or SIGTERM requests a stop; a second one kills. Called at most once
/// per process, by verbs that watch the token: the others keep the default, which is to die.
std::stop_token stop_on_signals();

}  // namespace particle::cli
