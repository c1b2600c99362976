// SPDX-License-Identifier: Apache-2.0
/// Packets with descriptors over a SOCK_SEQPACKET pair.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace particle::fleet::spawn {

struct Packet {
  std::string bytes;
  std::vector<int> descriptors;  ///< the receiver's to close; CLOEXEC
};

enum class Received { packet, nothing, end };

/// `flags`: MSG_DONTWAIT or 0.
Received receive(int socket, int flags, Packet& packet);
/// 0, or errno.
int send(int socket, int flags, std::string_view bytes, const std::vector<int>& descriptors);

}  // namespace particle::fleet::spawn
