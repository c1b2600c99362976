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

nlmsghdr* mnl_nlmsg_put_header(void* buf) {
  auto* nlh = static_cast<nlmsghdr*>(buf);
  std::memset(nlh, 0, kMessageHeader);
  nlh->nlmsg_len = kMessageHeader;
  return nlh;
}

void* mnl_nlmsg_put_extra_header(nlmsghdr* nlh, std::size_t size) {
  char* at = end_of(nlh);
  std::memset(at, 0, align(size));
  grow(nlh, size);
  return at;
}

bool mnl_attr_put_check(nlmsghdr* nlh, std::size_t buflen, std::uint16_t type, std::size_t len,
                        const void* data) {
  if (nlh->nlmsg_len + kAttributeHeader + align(len) > buflen) return false;
  char* payload = reinterpret_cast<char*>(append_attribute(nlh, type, len)) + kAttributeHeader;
  if (len > 0) std::memcpy(payload, data, len);
  std::memset(payload + len, 0, align(len) - len);
  return true;
}

nlattr* mnl_attr_nest_start_check(nlmsghdr* nlh, std::size_t buflen, std::uint16_t type) {
  if (nlh->nlmsg_len + kAttributeHeader > buflen) return nullptr;
  return append_attribute(nlh, static_cast<std::uint16_t>(type | NLA_F_NESTED), 0);
}

void mnl_attr_nest_end(nlmsghdr* nlh, nlattr* start) {
  const auto* begin = reinterpret_cast<const char*>(start);
  start->nla_len = static_cast<std::uint16_t>(end_of(nlh) - begin);
}

}  // extern "C"
