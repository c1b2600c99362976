// SPDX-License-Identifier: Apache-2.0
/// What the wrapper says about itself. Both return 0.
#pragma once

namespace particle::runtime {

int print_help();
int print_version();

}  // namespace particle::runtime
