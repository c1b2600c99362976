// SPDX-License-Identifier: Apache-2.0
/// The five functions of libmnl that libparticle calls, for programs without shared libraries: Debian
/// has libmnl only as a shared object. All of them only write into the caller's memory, and what they
/// write is netlink's own format; a test holds them against the real library, byte for byte.
#include <libmnl/libmnl.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

constexpr std::size_t kMessageHeader = sizeof(nlmsghdr);
constexpr std::size_t kAttributeHeader = sizeof(nlattr);

constexpr std::size_t align(std::size_t size) {
  return (size + 3) & ~std::size_t{3};
}

/// The first byte after the message so far, where the next header or attribute goes.
char* end_of(nlmsghdr* message) {
  return reinterpret_cast<char*>(message) + align(message->nlmsg_len);
}

void grow(nlmsghdr* message, std::size_t size) {
  message->nlmsg_len += static_cast<std::uint32_t>(align(size));
}

/// An attribute's header without a payload. The caller made sure that it fits.
nlattr* append_attribute(nlmsghdr* message, std::uint16_t type, std::size_t payload) {
  const nlattr header{static_cast<std::uint16_t>(kAttributeHeader + payload), type};
  char* at = end_of(message);
  std::memcpy(at, &header, sizeof header);
  grow(message, header.nla_len);
  return reinterpret_cast<nlattr*>(at);
}

}  // namespace

extern "C" {

nlmsghdr* mnl_nlmsg_put_header(void* buffer) {
  auto* message = static_cast<nlmsghdr*>(buffer);
  std::memset(message, 0, kMessageHeader);
  message->nlmsg_len = kMessageHeader;
  return message;
}

void* mnl_nlmsg_put_extra_header(nlmsghdr* message, std::size_t size) {
  char* at = end_of(message);
  std::memset(at, 0, align(size));
  grow(message, size);
  return at;
}

bool mnl_attr_put_check(nlmsghdr* message, std::size_t room, std::uint16_t type, std::size_t size,
                        const void* data) {
  if (message->nlmsg_len + kAttributeHeader + align(size) > room) return false;
  char* payload = reinterpret_cast<char*>(append_attribute(message, type, size)) + kAttributeHeader;
  if (size > 0) std::memcpy(payload, data, size);
  std::memset(payload + size, 0, align(size) - size);
  return true;
}

nlattr* mnl_attr_nest_start_check(nlmsghdr* message, std::size_t room, std::uint16_t type) {
  if (message->nlmsg_len + kAttributeHeader > room) return nullptr;
  return append_attribute(message, static_cast<std::uint16_t>(type | NLA_F_NESTED), 0);
}

void mnl_attr_nest_end(nlmsghdr* message, nlattr* start) {
  const auto* begin = reinterpret_cast<const char*>(start);
  start->nla_len = static_cast<std::uint16_t>(end_of(message) - begin);
}

}  // extern "C"
