// SPDX-License-Identifier: Apache-2.0
// What `particle fleet ...` becomes: the same command line, with the burst launcher linked in.
#include <algorithm>
#include <cstdio>
#include <exception>

#include <sys/resource.h>

#include "app.hpp"
#include "exit_codes.hpp"
#include "fleet/run_fleet.hpp"

namespace {

/// An instance takes up to three descriptors: with the usual soft limit of 1,024 some 300 would run at
/// once. Not to the hard limit, which may be a thousand million: the launcher looks how near it is, and
/// the kernel's table grows with that. particle-spawn lowers it again for what instances run.
void raise_descriptor_limit() {
  constexpr rlim_t kEnough = 65536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  raise_descriptor_limit();
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
