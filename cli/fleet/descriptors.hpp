// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace particle::cli {

/// An instance takes up to three descriptors: with the usual soft limit of 1,024 some 300 would run at
/// once. Not to the hard limit, which may be a thousand million: the launcher looks how near it is, and
/// the kernel's table grows with that. particle-spawn lowers it again for what instances run.
void raise_descriptor_limit();

}  // namespace particle::cli
