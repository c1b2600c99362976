// SPDX-License-Identifier: Apache-2.0
/// What crosses a device, read from the wire and parsed here: a witness that shares no code with
/// the library.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <particle/ip.hpp>
#include <particle/netns.hpp>
#include <particle/types.hpp>
#include <particle/unique_fd.hpp>

namespace particle::test {

/// One Ethernet frame, as far as tests look into it.
struct Frame {
  Mac to;
  Mac from;
  std::uint16_t ether_type = 0;
  std::optional<IpAddress> ip_from;  ///< of an IPv4 or IPv6 packet
  std::optional<IpAddress> ip_to;
  std::uint8_t protocol = 0;  ///< of IPv4, or the first next header of IPv6
  [[nodiscard]] bool is_broadcast_or_multicast() const noexcept { return to.is_multicast(); }
  [[nodiscard]] std::string to_string() const;
};

/// A VXLAN packet: UDP port 4789 and what it carries.
struct VxlanPacket {
  Frame outer;
  std::uint32_t vni = 0;
  Frame inner;
  [[nodiscard]] std::string to_string() const;
};

/// Pure. Nothing when the bytes are too short for what they claim to be.
std::optional<Frame> parse_frame(const std::vector<std::uint8_t>& bytes);
std::optional<VxlanPacket> parse_vxlan(const std::vector<std::uint8_t>& bytes);

/// Captures every frame that `device` in `netns` sends or receives, from construction on.
class Capture {
 public:
  /// Throws when the kernel refuses.
  Capture(const NetNs& netns, IfIndex device);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture();

  /// Ends the capture, after whatever was on its way. Throws when the kernel dropped a frame: then
  /// nothing can be said about what did not cross.
  std::vector<VxlanPacket> finish();

 private:
  void read_until(const std::stop_token& stop);
  bool read_one();

  UniqueFd socket_;
  UniqueFd wake_;
  std::vector<VxlanPacket> packets_;
  std::jthread thread_;
};

}  // namespace particle::test
