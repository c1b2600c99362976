// SPDX-License-Identifier: Apache-2.0
#include "spawn/packet.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>

#include "spawn/wire.hpp"

namespace particle::fleet::spawn {
namespace {

using Control = std::array<char, CMSG_SPACE(kMostDescriptors * sizeof(int))>;

void take_descriptors(msghdr& message, std::vector<int>& out) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const std::size_t before = out.size();
    out.resize(before + count);
    std::memcpy(&out[before], CMSG_DATA(part), count * sizeof(int));
  }
}

}  // namespace

Received receive(int socket, int flags, Packet& packet) {
  // One buffer for all: a packet is mostly much smaller.
  static thread_local std::vector<char> buffer(kMostBytes);
  alignas(cmsghdr) Control control{};
  iovec part = {buffer.data(), buffer.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && errno == EAGAIN) return Received::nothing;
  if (size <= 0) return Received::end;
  packet.bytes.assign(buffer.data(), static_cast<std::size_t>(size));
  packet.descriptors.clear();
  take_descriptors(message, packet.descriptors);
  return Received::packet;
}

int send(int socket, int flags, std::string_view bytes, const std::vector<int>& descriptors) {
  alignas(cmsghdr) Control control{};
  iovec part = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
    auto* header = reinterpret_cast<cmsghdr*>(control.data());
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
  }
  ssize_t size = -1;
  do {
    size = ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
  } while (size < 0 && errno == EINTR);
  return size < 0 ? errno : 0;
}

}  // namespace particle::fleet::spawn
