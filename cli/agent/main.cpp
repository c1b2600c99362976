// SPDX-License-Identifier: Apache-2.0
// What `particle agent` becomes: the same command line, with the overlays linked in.
#include <cstdio>
#include <exception>

#include "agent/run_agent.hpp"
#include "agent/run_blocks.hpp"
#include "app.hpp"
#include "exit_codes.hpp"

int main(int argc, char** argv) {
  try {
    return particle::cli::run(
        argc, argv,
        {.run_agent = &particle::cli::run_agent, .run_blocks = &particle::cli::run_blocks});
  } catch (const std::bad_alloc&) {
    std::fputs("particle-agent: out of memory\n", stderr);
    return particle::cli::kExitExhausted;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "particle-agent: internal error: %s\n", error.what());
    return particle::cli::kExitKernel;
  }
}
