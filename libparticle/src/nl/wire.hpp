// SPDX-License-Identifier: Apache-2.0
/// Reading netlink bytes within bounds. Whatever the bytes are, a reader gives values from inside
/// the span or an Error (protocol), never a look beyond it, and never reads through a misaligned
/// pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include <linux/netlink.h>

#include <particle/result.hpp>

namespace particle::nl {

using Bytes = std::span<const std::byte>;

/// The T at the front of `bytes`, or nothing when there are too few.
template <class T>
  requires std::is_trivially_copyable_v<T>
std::optional<T> load(Bytes bytes) noexcept {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value{};
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// The bytes after the first `count`, or none.
inline Bytes after(Bytes bytes, std::size_t count) noexcept {
  return count < bytes.size() ? bytes.subspan(count) : Bytes{};
}

constexpr std::size_t aligned(std::size_t length) noexcept {
  return (length + 3U) & ~std::size_t{3};
}

/// An Error (protocol) that says what is wrong with the bytes.
Error malformed(std::string what);

/// One message: `bytes` with its header, `payload` without.
struct MessageView {
  nlmsghdr header;
  Bytes bytes;
  Bytes payload;
};

/// Walks the messages of one datagram.
class MessageReader {
 public:
  explicit MessageReader(Bytes datagram) noexcept : rest_(datagram) {}
  /// The next message, nothing at the end. Errors: protocol.
  Result<std::optional<MessageView>> next();

 private:
  Bytes rest_;
};

/// One attribute. `type` is without the flags NLA_F_NESTED and NLA_F_NET_BYTEORDER.
struct AttributeView {
  std::uint16_t type;
  Bytes payload;

  template <class T>
  [[nodiscard]] std::optional<T> as() const noexcept {
    return load<T>(payload);
  }
  /// Up to the first NUL, or the whole payload where there is none.
  [[nodiscard]] std::string_view text() const noexcept;
};

/// Walks attributes; also a nested attribute's payload.
class AttributeReader {
 public:
  explicit AttributeReader(Bytes attributes) noexcept : rest_(attributes) {}
  /// The next attribute, nothing at the end. Errors: protocol.
  Result<std::optional<AttributeView>> next();

 private:
  Bytes rest_;
};

/// The last attribute of that type, nothing when there is none. Errors: protocol.
Result<std::optional<AttributeView>> find_attribute(Bytes attributes, std::uint16_t type);

}  // namespace particle::nl
