// SPDX-License-Identifier: Apache-2.0
// Bytes as the records below a run directory: what parses is usable as it stands, prints, and parses
// again to the same text; what does not is corrupt_state, never an exception.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "pool/record.hpp"

namespace {

using particle::Errc;

void require(bool condition) {
  if (!condition) std::abort();
}

template <class T>
void round_trip(std::string_view text,
                particle::Result<T> (*parse)(std::string_view, const std::string&)) {
  const auto value = parse(text, "record.json");
  if (!value) {
    require(value.error().kind() == Errc::corrupt_state);
    require(value.error().operation.find("record.json") != std::string::npos);
    return;
  }
  const std::string printed = to_text(*value);
  const auto again = parse(printed, "record.json");
  require(again.has_value() && to_text(*again) == printed);
}

/// Everything that the planner computes from a record without looking.
void use(const particle::PoolRecord& pool) {
  require(particle::check_name("pool", pool.name).has_value());
  require(particle::check_name("tenant", pool.tenant).has_value());
  require(pool.mode != particle::AddressMode::automatic);
  require(pool.vni.value() != 0 && pool.cooldown.count() >= 0);
  require(pool.capacity > 0 && pool.capacity <= particle::kMaxEndpoints);
  require(!pool.blocks.empty() && pool.blocks.size() <= 2);
  for (const std::uint64_t index : {std::uint64_t{0}, pool.capacity - 1}) {
    const auto endpoint = pool.endpoint(index);
    require(endpoint.v4.has_value() || endpoint.v6.has_value());
    if (endpoint.v4) require(pool.index_of(*endpoint.v4) == index);
    if (endpoint.v6) require(pool.index_of(*endpoint.v6) == index);
  }
  require(!pool.owned().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip<particle::TenantRecord>(text, &particle::parse_tenant_record);
  round_trip<particle::PoolRecord>(text, &particle::parse_pool_record);
  round_trip<std::vector<particle::Peer>>(text, &particle::parse_peers);
  if (const auto pool = particle::parse_pool_record(text, "record.json")) use(*pool);
  return 0;
}
