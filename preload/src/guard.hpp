// SPDX-License-Identifier: Apache-2.0
/// What a mechanism must offer to stand behind `Enforcement`.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <particle_bind/enforce.hpp>

#include "policy/policy.h"

namespace particle::bind {

class Guard {
 public:
  Guard() = default;
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  virtual ~Guard() = default;

  [[nodiscard]] virtual std::vector<std::string> environment() const { return {}; }
  [[nodiscard]] virtual Result<void> enter() const = 0;
  [[nodiscard]] virtual Result<void> supervise() { return {}; }
  [[nodiscard]] virtual Result<void> adopt(pid_t process) const = 0;
  [[nodiscard]] virtual Result<void> detach() = 0;
  [[nodiscard]] virtual std::vector<std::string> take_log() { return {}; }
  [[nodiscard]] virtual int log_fd() const noexcept { return -1; }
  [[nodiscard]] virtual Result<void> close() = 0;
};

/// The policy's view of a spec. Errors: invalid_argument.
Result<pb_endpoint> to_policy(const EnforceSpec& spec);

/// "python3[4711] bind 0.0.0.0:8080: any address becomes the endpoint's".
std::string describe(unsigned operation, unsigned row, int family, const unsigned* address,
                     unsigned port, unsigned pid, std::string_view command);

}  // namespace particle::bind
