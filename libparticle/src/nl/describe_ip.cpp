// SPDX-License-Identifier: Apache-2.0
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "nl/words.hpp"

namespace particle::nl {
namespace {

std::string slash(unsigned length) {
  return "/" + std::to_string(length);
}

}  // namespace

std::string describe_address(Bytes payload) {
  const auto header = load<ifaddrmsg>(payload);
  if (!header) return {};
  const Attributes attributes(after(payload, aligned(sizeof(ifaddrmsg))));
  std::string words = attributes.address("", IFA_LOCAL);
  if (words.empty()) words = attributes.address("", IFA_ADDRESS);
  if (!words.empty()) words += slash(header->ifa_prefixlen);
  return words + phrase("ifindex", std::to_string(header->ifa_index));
}

std::string describe_route(Bytes payload) {
  const auto header = load<rtmsg>(payload);
  if (!header) return {};
  const Attributes attributes(after(payload, aligned(sizeof(rtmsg))));
  std::string words = header->rtm_type == RTN_LOCAL ? " local" : "";
  const std::string destination = attributes.address("", RTA_DST);
  words += destination.empty() ? " default" : destination + slash(header->rtm_dst_len);
  words += attributes.address("via", RTA_GATEWAY) + attributes.number("ifindex", RTA_OIF);
  return words + attributes.address("src", RTA_PREFSRC);
}

std::string describe_neighbour(Bytes payload) {
  const auto header = load<ndmsg>(payload);
  if (!header) return {};
  const Attributes attributes(after(payload, aligned(sizeof(ndmsg))));
  const std::string device = phrase("ifindex", std::to_string(header->ndm_ifindex));
  if (header->ndm_family == AF_BRIDGE) {
    return attributes.mac("", NDA_LLADDR) + attributes.address("dst", NDA_DST) + device;
  }
  return attributes.address("", NDA_DST) + attributes.mac("lladdr", NDA_LLADDR) + device;
}

}  // namespace particle::nl
