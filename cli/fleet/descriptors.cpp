// SPDX-License-Identifier: Apache-2.0
#include "fleet/descriptors.hpp"

#include <algorithm>

#include <sys/resource.h>

namespace particle::cli {

void raise_descriptor_limit() {
  constexpr rlim_t kEnough = 65536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kEnough) return;
  limit.rlim_cur = std::min(limit.rlim_max, kEnough);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace particle::cli
