// SPDX-License-Identifier: Apache-2.0
// What `particle fleet agent` becomes: the same command line, with the fleet's agent linked in. Apart from
// particle-fleet, which starts five milliseconds sooner without OpenSSL and libcurl.
#include <cstdio>
#include <exception>

#include "app.hpp"
#include "exit_codes.hpp"
#include "fleet/agent/run_agent.hpp"
#include "fleet/descriptors.hpp"

int main(int argc, char** argv) {
  particle::cli::raise_descriptor_limit();
  try {
    return particle::cli::run(argc, argv, {.run_fleet_agent = &particle::cli::run_fleet_agent});
  } catch (const std::bad_alloc&) {
    std::fputs("particle-fleet-agent: out of memory\n", stderr);
    return particle::cli::kExitExhausted;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "particle-fleet-agent: internal error: %s\n", error.what());
    return particle::cli::kExitKernel;
  }
}
