// SPDX-License-Identifier: Apache-2.0
/// One encoded netlink request, as bytes and as words. Made by the pure `encode_*` functions of
/// link.hpp, addr.hpp, route.hpp and neigh.hpp; sent by Session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace particle {

/// What an encoder is to do with an object that exists, or does not.
enum class Verb : std::uint8_t {
  create,   ///< NLM_F_CREATE | NLM_F_EXCL: EEXIST when it is there
  replace,  ///< NLM_F_CREATE | NLM_F_REPLACE
  remove,
};

/// A complete netlink message (header included). Sequence number and NLM_F_ACK are filled in by
/// Session::transact. An empty message encodes nothing and is a bug to send.
class Message {
 public:
  Message() = default;
  explicit Message(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint16_t type() const noexcept;   ///< RTM_NEWLINK, ...
  [[nodiscard]] std::uint16_t flags() const noexcept;  ///< NLM_F_*
  /// The request in words, as `RTM_NEWADDR 10.0.0.7/32 ifindex 2`; decoded from the bytes on
  /// demand, so that the hot path pays nothing for it.
  [[nodiscard]] std::string describe() const;

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace particle
