// SPDX-License-Identifier: Apache-2.0
#include <particle/message.hpp>

#include "nl/wire.hpp"

namespace particle {

std::uint16_t Message::type() const noexcept {
  const auto header = nl::load<nlmsghdr>(bytes_);
  return header ? header->nlmsg_type : std::uint16_t{0};
}

std::uint16_t Message::flags() const noexcept {
  const auto header = nl::load<nlmsghdr>(bytes_);
  return header ? header->nlmsg_flags : std::uint16_t{0};
}

}  // namespace particle
