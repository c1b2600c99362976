// SPDX-License-Identifier: Apache-2.0
#include "probe/capabilities.hpp"

#include <array>

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace particle::probe {

bool has_capability(int number) noexcept {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (syscall(SYS_capget, &header, sets.data()) != 0) return false;
  const auto bit = static_cast<unsigned>(number);
  return (sets[bit / 32].effective >> (bit % 32) & 1U) != 0;
}

}  // namespace particle::probe
