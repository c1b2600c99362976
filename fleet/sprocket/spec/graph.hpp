// SPDX-License-Identifier: Apache-2.0
/// The streams of a pipespec as a graph.
#pragma once

#include <particle_sprocket/pipespec.hpp>

#include "spec/faults.hpp"

namespace particle::sprocket {

/// Checks the streams against the nodes, and fills in what follows from them: ports, inputs, outputs,
/// depths, and the order of the nodes.
void connect(Pipespec& spec, Faults& faults);

}  // namespace particle::sprocket
