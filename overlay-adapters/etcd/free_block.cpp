// SPDX-License-Identifier: Apache-2.0
#include "etcd/free_block.hpp"

#include <algorithm>

namespace particle::overlay {

std::optional<IpPrefix> find_free_block(const IpPrefix& subnet, unsigned length,
                                        std::vector<IpPrefix> taken) {
  std::sort(taken.begin(), taken.end());
  IpPrefix candidate = IpPrefix::containing(subnet.network(), length);
  for (const IpPrefix& one : taken) {
    if (!one.overlaps(candidate)) continue;
    // The first block that begins after it. Sorted by begin, what came before is passed already.
    const IpPrefix passed = one.length() < length ? one : candidate;
    const auto next = passed.last().plus(1);
    if (!next || !subnet.contains(*next)) return std::nullopt;
    candidate = IpPrefix::containing(*next, length);
  }
  return candidate;
}

std::optional<Vni> find_free_vni(const std::set<Vni>& taken) {
  std::uint64_t lowest = 1;
  for (const Vni vni : taken) {
    if (vni.value() > lowest) break;
    if (vni.value() == lowest) ++lowest;
  }
  auto free = Vni::from(lowest);
  if (!free) return std::nullopt;
  return *free;
}

}  // namespace particle::overlay
