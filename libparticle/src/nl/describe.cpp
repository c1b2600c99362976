// SPDX-License-Identifier: Apache-2.0
#include <particle/message.hpp>

#include <array>

#include <linux/rtnetlink.h>

#include "nl/words.hpp"

namespace particle {
namespace {

struct Kind {
  std::uint16_t type;
  const char* name;
  std::string (*rest)(nl::Bytes payload);
};

constexpr std::array kKinds{
    Kind{RTM_NEWLINK, "RTM_NEWLINK", nl::describe_link},
    Kind{RTM_DELLINK, "RTM_DELLINK", nl::describe_link},
    Kind{RTM_GETLINK, "RTM_GETLINK", nl::describe_link},
    Kind{RTM_SETLINK, "RTM_SETLINK", nl::describe_link},
    Kind{RTM_NEWADDR, "RTM_NEWADDR", nl::describe_address},
    Kind{RTM_DELADDR, "RTM_DELADDR", nl::describe_address},
    Kind{RTM_GETADDR, "RTM_GETADDR", nl::describe_address},
    Kind{RTM_NEWROUTE, "RTM_NEWROUTE", nl::describe_route},
    Kind{RTM_DELROUTE, "RTM_DELROUTE", nl::describe_route},
    Kind{RTM_GETROUTE, "RTM_GETROUTE", nl::describe_route},
    Kind{RTM_NEWNEIGH, "RTM_NEWNEIGH", nl::describe_neighbour},
    Kind{RTM_DELNEIGH, "RTM_DELNEIGH", nl::describe_neighbour},
    Kind{RTM_GETNEIGH, "RTM_GETNEIGH", nl::describe_neighbour},
};

}  // namespace

std::string Message::describe() const {
  nl::MessageReader reader(bytes_);
  const auto message = reader.next();
  if (!message || !*message) return "an empty or malformed netlink request";
  for (const Kind& kind : kKinds) {
    if (kind.type == type()) return kind.name + kind.rest((*message)->payload);
  }
  return "netlink request of type " + std::to_string(type());
}

}  // namespace particle
