// SPDX-License-Identifier: Apache-2.0
#include "seccomp/in_flight.hpp"

#include <cerrno>
#include <new>
#include <span>
#include <utility>

#include <sys/mman.h>

namespace particle::bind {
namespace {

/// Connects that wait for the network each have one, the threads that answer have one each.
constexpr std::size_t kEntries = 1024;
constexpr std::size_t kBytes = kEntries * sizeof(InFlight::Entry);

std::span<InFlight::Entry> all(InFlight::Entry* entries) {
  return {entries, kEntries};
}

}  // namespace

Result<InFlight> InFlight::make() {
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return fail(Error::from_errno(errno, "map the bind agent's table of calls"));
  }
  // Zeroes are what every entry begins with: only the pages that are used take memory.
  return InFlight(std::launder(static_cast<Entry*>(memory)));
}

InFlight::InFlight(InFlight&& other) noexcept : entries_(std::exchange(other.entries_, nullptr)) {}

InFlight::~InFlight() {
  if (entries_ != nullptr) {
    ::munmap(entries_, kBytes);
  }
}

InFlight::Entry* InFlight::take() {
  for (Entry& entry : all(entries_)) {
    if (!entry.taken.load(std::memory_order_relaxed) && !entry.taken.exchange(true)) {
      return &entry;
    }
  }
  return nullptr;
}

void InFlight::give_back(Entry* entry) {
  entry->listener = 0;
  entry->taken = false;
}

void InFlight::abandon(const std::function<void(std::uint32_t listener, std::uint64_t id)>& each) {
  for (Entry& entry : all(entries_)) {
    if (entry.listener != 0 && entry.notification.id != 0) {
      each(entry.listener, entry.notification.id);
    }
    entry.notification = {};
    give_back(&entry);
  }
}

}  // namespace particle::bind
