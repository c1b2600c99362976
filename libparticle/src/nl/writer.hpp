// SPDX-License-Identifier: Apache-2.0
/// Writing one netlink message into a bounded buffer, over libmnl.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <libmnl/libmnl.h>

#include <particle/ip.hpp>
#include <particle/message.hpp>
#include <particle/types.hpp>

namespace particle::nl {

/// Collects header, family header and attributes, then copies them out as a Message: one small
/// allocation each, which matters for 65,000 of them.
class MessageWriter {
 public:
  MessageWriter(std::uint16_t type, std::uint16_t flags);
  MessageWriter(const MessageWriter&) = delete;
  MessageWriter& operator=(const MessageWriter&) = delete;

  /// Appends a zeroed family header (ifinfomsg, ifaddrmsg, ...) and returns it to be filled in.
  template <class T>
  T& family_header() {
    return *static_cast<T*>(extra_header(sizeof(T)));
  }

  void put_u8(std::uint16_t type, std::uint8_t value);
  void put_u32(std::uint16_t type, std::uint32_t value);
  void put_be16(std::uint16_t type, std::uint16_t host_value);
  void put_fd(std::uint16_t type, int fd);
  void put_text(std::uint16_t type, std::string_view text);  ///< with its terminating NUL
  void put_address(std::uint16_t type, const IpAddress& address);
  void put_mac(std::uint16_t type, const Mac& mac);

  /// Runs `fill` with a nested attribute open.
  template <class Fill>
  void nest(std::uint16_t type, Fill fill) {
    nlattr* const start = mnl_attr_nest_start_check(header_, kCapacity, type);
    if (start == nullptr) {
      overflowed_ = true;
      return;
    }
    fill();
    mnl_attr_nest_end(header_, start);
  }

  /// The message; an empty one when something did not fit.
  [[nodiscard]] Message finish() const;

 private:
  /// Far above the longest request: a vxlan device with every setting takes about 250 bytes, and
  /// a link alias at most 256 (IFALIASZ).
  static constexpr std::size_t kCapacity = 2048;

  void* extra_header(std::size_t size);
  void put(std::uint16_t type, const void* data, std::size_t size);

  alignas(nlmsghdr) std::array<char, kCapacity> buffer_;  // not zeroed: libmnl zeroes what it uses
  nlmsghdr* header_;
  bool overflowed_ = false;
};

}  // namespace particle::nl
