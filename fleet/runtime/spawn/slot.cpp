// SPDX-License-Identifier: Apache-2.0
#include "spawn/slot.hpp"

#include <ctime>
#include <new>

#include <sys/mman.h>

namespace particle::fleet::spawn {

std::int64_t now() {
  timespec time = {};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1000000000 + time.tv_nsec;
}

int Slots::take() {
  if (free_.empty()) {
    void* memory = ::mmap(nullptr, sizeof(Slot) * kBlock, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return -1;
    const int first = static_cast<int>(blocks_.size()) * kBlock;
    blocks_.push_back(static_cast<Slot*>(memory));
    for (int i = kBlock - 1; i >= 0; --i) free_.push_back(first + i);
  }
  const int number = free_.back();
  free_.pop_back();
  new (&(*this)[number]) Slot();
  return number;
}

Slot& Slots::operator[](int number) {
  return blocks_[static_cast<std::size_t>(number / kBlock)][number % kBlock];
}

}  // namespace particle::fleet::spawn
