// SPDX-License-Identifier: Apache-2.0
// What `particle fleet ...` becomes: the same command line, with the burst launcher linked in.
#include <cstdio>
#include <exception>

#include "app.hpp"
#include "exit_codes.hpp"
#include "fleet/descriptors.hpp"
#include "fleet/run_fleet.hpp"

int main(int argc, char** argv) {
  particle::cli::raise_descriptor_limit();
  try {
    return particle::cli::run(argc, argv, {.run_fleet = &particle::cli::do_fleet});
  } catch (const std::bad_alloc&) {
    std::fputs("particle-fleet: out of memory\n", stderr);
    return particle::cli::kExitExhausted;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "particle-fleet: internal error: %s\n", error.what());
    return particle::cli::kExitKernel;
  }
}
