// SPDX-License-Identifier: Apache-2.0
#include "nl/writer.hpp"

#include <arpa/inet.h>
#include <cassert>
#include <string>
#include <vector>

namespace particle::nl {

// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): see buffer_
MessageWriter::MessageWriter(std::uint16_t type, std::uint16_t flags)
    : header_(mnl_nlmsg_put_header(buffer_.data())) {
  header_->nlmsg_type = type;
  header_->nlmsg_flags = flags;
}

void* MessageWriter::extra_header(std::size_t size) {
  assert(header_->nlmsg_len + size <= kCapacity);
  return mnl_nlmsg_put_extra_header(header_, size);
}

void MessageWriter::put(std::uint16_t type, const void* data, std::size_t size) {
  if (!mnl_attr_put_check(header_, kCapacity, type, size, data)) overflowed_ = true;
}

void MessageWriter::put_u8(std::uint16_t type, std::uint8_t value) {
  put(type, &value, sizeof value);
}
void MessageWriter::put_u32(std::uint16_t type, std::uint32_t value) {
  put(type, &value, sizeof value);
}

void MessageWriter::put_be16(std::uint16_t type, std::uint16_t host_value) {
  const std::uint16_t value = htons(host_value);
  put(type, &value, sizeof value);
}

void MessageWriter::put_fd(std::uint16_t type, int fd) {
  put_u32(type, static_cast<std::uint32_t>(fd));
}

void MessageWriter::put_text(std::uint16_t type, std::string_view text) {
  const std::string terminated(text);
  put(type, terminated.c_str(), terminated.size() + 1);
}

void MessageWriter::put_address(std::uint16_t type, const IpAddress& address) {
  put(type, address.bytes().data(), address.bytes().size());
}

void MessageWriter::put_mac(std::uint16_t type, const Mac& mac) {
  put(type, mac.bytes.data(), mac.bytes.size());
}

Message MessageWriter::finish() const {
  if (overflowed_) return {};
  const auto bytes = std::as_bytes(std::span(buffer_)).first(header_->nlmsg_len);
  return Message(std::vector<std::byte>(bytes.begin(), bytes.end()));
}

}  // namespace particle::nl
