// SPDX-License-Identifier: Apache-2.0
#include "pool/record.hpp"

#include <algorithm>

namespace particle {

const EndpointBlock* PoolRecord::block(Family family) const {
  for (const auto& candidate : blocks) {
    if (candidate.endpoints.family() == family) return &candidate;
  }
  return nullptr;
}

Endpoint PoolRecord::endpoint(std::uint64_t index) const {
  Endpoint result;
  result.index = index;
  if (const auto* v4 = block(Family::v4)) result.v4 = v4->endpoints.at(index);
  if (const auto* v6 = block(Family::v6)) result.v6 = v6->endpoints.at(index);
  return result;
}

std::optional<std::uint64_t> PoolRecord::index_of(const IpAddress& address) const {
  const auto* found = block(address.family());
  if (found == nullptr || !found->endpoints.contains(address)) return std::nullopt;
  return found->endpoints.first().distance_to(address);
}

std::vector<IpPrefix> PoolRecord::owned() const {
  std::vector<IpPrefix> all;
  for (const auto& block : blocks) all.insert(all.end(), block.owned.begin(), block.owned.end());
  return all;
}

std::uint64_t block_capacity(const AddressBlock& asked) {
  return asked.range ? asked.range->size() : IpRange::hosts_of(asked.prefix).size();
}

EndpointBlock make_endpoint_block(const AddressBlock& asked, std::uint64_t count) {
  const IpRange all = asked.range ? *asked.range : IpRange::hosts_of(asked.prefix);
  EndpointBlock block;
  block.asked = asked;
  block.endpoints = all.first_n(std::min(count, all.size()));
  // Without a range the prefix is the pool's own, so one route stands for it however few endpoints
  // are in use. With a range the rest of the prefix belongs to others.
  block.owned = asked.range ? block.endpoints.to_prefixes() : std::vector<IpPrefix>{asked.prefix};
  return block;
}

}  // namespace particle
