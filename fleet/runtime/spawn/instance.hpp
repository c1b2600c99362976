// SPDX-License-Identifier: Apache-2.0
/// One instance: its first process, from clone3 to the command's end.
#pragma once

#include <array>

#include <sys/types.h>

#include "spawn/slot.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet::spawn {

/// The descriptors of a `start`; -1 where there is none. Closed when it goes.
class Descriptors {
 public:
  /// `given` in the order of the bits of `which`.
  Descriptors(std::uint32_t which, const std::vector<int>& given);
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;
  ~Descriptors();
  [[nodiscard]] int at(Descriptor which) const;

 private:
  std::array<int, kMostDescriptors> fds_{};
};

/// What every instance needs of the spawner.
struct Context {
  const Job& job;
  int notify;     ///< takes a slot's number when the instance has started
  int spawner;    ///< a pidfd of the spawner: readable when it is dead
  int null;       ///< /dev/null
  int listeners;  ///< takes the instances' seccomp listeners; -1: they have none
};

/// The signal by which the spawner tells an instance's init to pass another one on, its value.
int relay_signal();

/// clone3 into the instance's namespaces. The child becomes the instance's init, runs the command and
/// ends with it; it reports in `slot`. Returns the child, -1 with errno.
pid_t spawn_instance(const Context& context, const Start& start, const Descriptors& given,
                     int number, Slot& slot);

}  // namespace particle::fleet::spawn
