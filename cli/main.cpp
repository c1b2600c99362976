// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "app.hpp"
#include "exit_codes.hpp"

int main(int argc, char** argv) {
  // Exceptions stop here: memory that ran out, or a bug.
  try {
    return particle::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("particle: out of memory\n", stderr);
    return particle::cli::kExitExhausted;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "particle: internal error: %s\n", error.what());
    return particle::cli::kExitKernel;
  }
}
