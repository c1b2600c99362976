// SPDX-License-Identifier: Apache-2.0
// Bytes as what other nodes and other programs say: announcements, FRR's JSON, a stream of neighbour
// events. What is read is valid and reads back; what is not is refused in words, never by an exception.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "overlay-adapters/announcement.hpp"
#include "overlay-adapters/evpn/frr_watch.hpp"
#include "overlay-adapters/evpn/mirror_dump.hpp"
#include "overlay-adapters/evpn/prefix_code.hpp"

namespace {

using namespace particle;

void require(bool condition) {
  if (!condition) std::abort();
}

void announcements(std::string_view text) {
  const auto list = overlay::parse_announcements(text, "peers");
  if (!list) {
    require(list.error().kind() == Errc::invalid_argument);
    require(list.error().operation.find("peers") != std::string::npos);
    return;
  }
  for (const auto& one : *list) {
    require(overlay::check(one).empty());
    const auto again = overlay::parse_announcement(to_json(one), "it");
    require(again.has_value() && *again == one);
  }
}

/// Any addresses are some prefixes, which are read back as themselves.
void addresses(std::span<const std::byte> bytes) {
  std::vector<IpAddress> some;
  for (std::size_t at = 0; at + 4 <= bytes.size() && some.size() < 64; at += 4)
    some.push_back(*IpAddress::from_bytes(bytes.subspan(at, 4)));
  const auto prefixes = overlay::evpn::decode_prefixes(some);
  for (const auto& address : some) {
    bool covered = false;
    for (const auto& prefix : prefixes) covered = covered || prefix.contains(address);
    require(covered);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  announcements(text);
  (void)overlay::evpn::parse_summary(std::string(text));
  (void)overlay::evpn::parse_vnis(std::string(text));
  addresses(std::as_bytes(std::span(data, size)));
  // netlink messages are aligned to four bytes.
  std::vector<std::uint32_t> aligned((size + 3) / 4);
  if (size > 0) std::memcpy(aligned.data(), data, size);
  (void)overlay::evpn::is_about_mirrors(std::as_bytes(std::span(aligned)).first(size));
  return 0;
}
