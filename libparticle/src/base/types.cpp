// SPDX-License-Identifier: Apache-2.0
#include <particle/types.hpp>

#include <optional>

#include <net/if.h>

#include "base/text.hpp"

namespace particle {
namespace {

std::optional<unsigned> hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

std::optional<Mac> parse_pairs(std::string_view text) noexcept {
  constexpr std::size_t kLength = 6 * 2 + 5;
  if (text.size() != kLength) return std::nullopt;
  Mac mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    const auto high = hex_digit(text[i * 3]);
    const auto low = hex_digit(text[i * 3 + 1]);
    if (!high || !low) return std::nullopt;
    if (i + 1 < mac.bytes.size() && text[i * 3 + 2] != ':') return std::nullopt;
    mac.bytes[i] = static_cast<std::uint8_t>(*high << 4U | *low);
  }
  return mac;
}

/// FNV-1a, then the finalizer of SplitMix64 so that the high bits depend on every byte. The result
/// is written into running systems: it must never change.
std::uint64_t stable_hash(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9U;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebU;
  return hash ^ (hash >> 31U);
}

}  // namespace

Result<Vni> Vni::from(std::uint64_t value) {
  if (value >= 1 && value <= kMax) return Vni(static_cast<std::uint32_t>(value));
  return fail(Error::of(Errc::invalid_argument, "VNI " + std::to_string(value),
                        "a VNI is a number from 1 to " + std::to_string(kMax)));
}

Result<Vni> Vni::parse(std::string_view text) {
  if (const auto value = base::parse_decimal(text)) return from(*value);
  return fail(Error::of(Errc::invalid_argument, "VNI " + base::quoted(text),
                        "a VNI is a decimal number from 1 to " + std::to_string(kMax)));
}

Result<Mtu> Mtu::from(std::uint64_t value) {
  if (value >= kMin && value <= kMax) return Mtu(static_cast<std::uint32_t>(value));
  return fail(Error::of(Errc::invalid_argument, "MTU " + std::to_string(value),
                        "an MTU is a number of bytes from 68 to 65535"));
}

Result<Mtu> Mtu::parse(std::string_view text) {
  if (const auto value = base::parse_decimal(text)) return from(*value);
  return fail(Error::of(Errc::invalid_argument, "MTU " + base::quoted(text),
                        "an MTU is a decimal number of bytes from 68 to 65535"));
}

Result<Mac> Mac::parse(std::string_view text) {
  const auto reject = [&](std::string hint) {
    return fail(
        Error::of(Errc::invalid_argument, "MAC address " + base::quoted(text), std::move(hint)));
  };
  const auto mac = parse_pairs(text);
  if (!mac) return reject("a MAC address is six hexadecimal pairs, as 02:00:5e:10:00:01");
  if (mac->is_multicast())
    return reject("a device's MAC address is unicast: its first byte is even");
  if (*mac == Mac{}) return reject("the MAC address is all zeroes");
  return *mac;
}

Mac Mac::derive(std::string_view seed) {
  const std::uint64_t hash = stable_hash(seed);
  Mac mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    mac.bytes[i] = static_cast<std::uint8_t>(hash >> (56U - 8U * i));
  }
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfcU) | 0x02U);
  return mac;
}

std::string Mac::to_string() const {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 3);
  for (const std::uint8_t byte : bytes) {
    if (!out.empty()) out += ':';
    out += kHex[byte >> 4U];
    out += kHex[byte & 0xfU];
  }
  return out;
}

Result<void> check_device_name(std::string_view name) {
  const auto reject = [&](std::string hint) {
    return fail(
        Error::of(Errc::invalid_argument, "device name " + base::quoted(name), std::move(hint)));
  };
  if (name.empty() || name.size() >= IFNAMSIZ) return reject("a device name has 1 to 15 bytes");
  if (name == "." || name == "..") return reject("a device name is neither '.' nor '..'");
  for (const char c : name) {
    const bool space =
        c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';  // isspace of lib/ctype.c
    if (c == '/' || c == ':' || c == '\0' || space) {
      return reject("a device name has no '/', no ':' and no white space");
    }
  }
  return {};
}

}  // namespace particle
