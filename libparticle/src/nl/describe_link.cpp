// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "nl/words.hpp"

namespace particle::nl {
namespace {

std::string describe_peer(const Attributes& data) {
  const AttributeView* const peer = data.find(VETH_INFO_PEER);
  if (peer == nullptr) return {};
  return Attributes(after(peer->payload, aligned(sizeof(ifinfomsg)))).text("peer", IFLA_IFNAME);
}

/// The kind of a new link, and what tells it from others of its kind.
std::string describe_kind(const Attributes& info, const Attributes& link) {
  const AttributeView* const kind = info.find(IFLA_INFO_KIND);
  if (kind == nullptr) return {};
  const Attributes data = info.nested(IFLA_INFO_DATA);
  std::string words = info.text("", IFLA_INFO_KIND) + link.text("", IFLA_IFNAME);
  if (kind->text() == "veth") words += describe_peer(data);
  if (kind->text() == "vxlan") words += data.number("vni", IFLA_VXLAN_ID);
  return words;
}

std::string describe_change(const ifinfomsg& header, const Attributes& link) {
  std::string words;
  if (header.ifi_index != 0) {
    words = phrase("ifindex", std::to_string(header.ifi_index)) + link.text("name", IFLA_IFNAME);
  } else {
    words = link.text("", IFLA_IFNAME);
  }
  if ((header.ifi_change & IFF_UP) != 0)
    words += (header.ifi_flags & IFF_UP) != 0 ? " up" : " down";
  words += link.number("mtu", IFLA_MTU) + link.mac("address", IFLA_ADDRESS);
  words += link.number("master", IFLA_MASTER) + link.text("alias", IFLA_IFALIAS);
  if (link.find(IFLA_LINKINFO) != nullptr) words += " bridge port settings";
  if (link.find(IFLA_NET_NS_FD) != nullptr) words += " into another namespace";
  return words;
}

}  // namespace

std::string describe_link(Bytes payload) {
  const auto header = load<ifinfomsg>(payload);
  if (!header) return {};
  const Attributes link(after(payload, aligned(sizeof(ifinfomsg))));
  const Attributes info = link.nested(IFLA_LINKINFO);
  if (info.find(IFLA_INFO_KIND) != nullptr) return describe_kind(info, link);
  return describe_change(*header, link);
}

}  // namespace particle::nl
