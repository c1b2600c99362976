// SPDX-License-Identifier: Apache-2.0
#include "etcd/shared.hpp"

#include <cstdint>

#include <unistd.h>

namespace particle::overlay {

void EtcdShared::signal() const {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then the event is there already.
  [[maybe_unused]] const ssize_t written = ::write(event.get(), &one, sizeof one);
}

}  // namespace particle::overlay
