// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include <particle/addr.hpp>
#include <particle/link.hpp>
#include <particle/neigh.hpp>
#include <particle/route.hpp>

#include "addresses.hpp"
#include "nl/wire.hpp"

using namespace particle;

namespace {

constexpr std::uint16_t kCreate = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
constexpr std::uint16_t kReplace = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;

IpPrefix prefix(std::string_view text) {
  return IpPrefix::parse(text).value();
}
Mac mac() {
  return Mac::parse("02:00:5e:10:00:01").value();
}

template <class Header>
Header header_of(const Message& message) {
  return nl::load<Header>(message.bytes().subspan(sizeof(nlmsghdr))).value();
}

template <class Header>
nl::Bytes attributes_of(const Message& message) {
  return nl::after(message.bytes(), sizeof(nlmsghdr) + nl::aligned(sizeof(Header)));
}

/// The payload of the attribute at the end of a path of types; an error in the test when absent.
nl::Bytes at(nl::Bytes bytes, std::initializer_list<std::uint16_t> path) {
  for (const std::uint16_t type : path) {
    bytes = nl::find_attribute(bytes, type).value().value().payload;
  }
  return bytes;
}

template <class T>
T value_at(nl::Bytes bytes, std::initializer_list<std::uint16_t> path) {
  const auto payload = at(bytes, path);
  REQUIRE(payload.size() == sizeof(T));
  return nl::load<T>(payload).value();
}

bool has(nl::Bytes bytes, std::uint16_t type) {
  return nl::find_attribute(bytes, type).value().has_value();
}

std::string text_at(nl::Bytes bytes, std::initializer_list<std::uint16_t> path) {
  const auto payload = at(bytes, path);
  REQUIRE_FALSE(payload.empty());
  CHECK(payload.back() == std::byte{0});
  return std::string(nl::AttributeView{0, payload}.text());
}

IpAddress address_at(nl::Bytes bytes, std::initializer_list<std::uint16_t> path) {
  return IpAddress::from_bytes(at(bytes, path)).value();
}

}  // namespace

TEST_CASE("encode: a bridge has no STP and no multicast snooping") {
  const Message message = encode_bridge({"br0", {10}, Mtu::from(1450).value(), mac()});
  CHECK(message.type() == RTM_NEWLINK);
  CHECK(message.flags() == kCreate);
  CHECK(header_of<ifinfomsg>(message).ifi_index == 10);
  const auto link = attributes_of<ifinfomsg>(message);
  CHECK(text_at(link, {IFLA_IFNAME}) == "br0");
  CHECK(value_at<std::uint32_t>(link, {IFLA_MTU}) == 1450);
  CHECK(value_at<Mac>(link, {IFLA_ADDRESS}) == mac());
  CHECK(text_at(link, {IFLA_LINKINFO, IFLA_INFO_KIND}) == "bridge");
  const auto data = at(link, {IFLA_LINKINFO, IFLA_INFO_DATA});
  CHECK(value_at<std::uint32_t>(data, {IFLA_BR_STP_STATE}) == 0);
  CHECK(value_at<std::uint8_t>(data, {IFLA_BR_MCAST_SNOOPING}) == 0);
  CHECK_FALSE(has(data, IFLA_BR_FORWARD_DELAY));
  CHECK_FALSE(has(data, IFLA_BR_NF_CALL_IPTABLES));
  CHECK(message.describe() == "RTM_NEWLINK bridge br0");
}

TEST_CASE("encode: a bridge without wishes leaves the choice to the kernel") {
  const Message message = encode_bridge({"br0", {}, {}, {}});
  CHECK(header_of<ifinfomsg>(message).ifi_index == 0);
  CHECK_FALSE(has(attributes_of<ifinfomsg>(message), IFLA_MTU));
  CHECK_FALSE(has(attributes_of<ifinfomsg>(message), IFLA_ADDRESS));
}

TEST_CASE(
    "encode: a vxlan device names its namespace, underlay, port in network order and bridge") {
  VxlanSpec spec;
  spec.name = "vx42";
  spec.index = {11};
  spec.vni = Vni::from(42).value();
  spec.local = ip("192.0.2.1");
  spec.underlay = IfIndex{2};
  spec.mtu = Mtu::from(1450).value();
  spec.master = IfIndex{10};
  spec.netns_fd = 7;
  const Message message = encode_vxlan(spec);
  CHECK(message.flags() == kCreate);
  const auto link = attributes_of<ifinfomsg>(message);
  CHECK(value_at<std::uint32_t>(link, {IFLA_NET_NS_FD}) == 7);
  CHECK(value_at<std::uint32_t>(link, {IFLA_MASTER}) == 10);
  CHECK(value_at<std::uint32_t>(link, {IFLA_MTU}) == 1450);
  CHECK_FALSE(has(link, IFLA_LINK));
  const auto data = at(link, {IFLA_LINKINFO, IFLA_INFO_DATA});
  CHECK(value_at<std::uint32_t>(data, {IFLA_VXLAN_ID}) == 42);
  CHECK(address_at(data, {IFLA_VXLAN_LOCAL}) == ip("192.0.2.1"));
  CHECK(value_at<std::uint32_t>(data, {IFLA_VXLAN_LINK}) == 2);
  CHECK(value_at<std::uint16_t>(data, {IFLA_VXLAN_PORT}) == htons(4789));
  CHECK(value_at<std::uint8_t>(data, {IFLA_VXLAN_LEARNING}) == 0);
  CHECK(message.describe() == "RTM_NEWLINK vxlan vx42 vni 42");
}

TEST_CASE("encode: a vxlan device over IPv6 in the session's namespace") {
  VxlanSpec spec;
  spec.name = "vx1";
  spec.vni = Vni::from(1).value();
  spec.local = ip("2001:db8::1");
  spec.learning = true;
  const Message message = encode_vxlan(spec);
  const auto attributes = attributes_of<ifinfomsg>(message);
  CHECK_FALSE(has(attributes, IFLA_NET_NS_FD));
  CHECK_FALSE(has(attributes, IFLA_MASTER));
  const auto data = at(attributes, {IFLA_LINKINFO, IFLA_INFO_DATA});
  CHECK(address_at(data, {IFLA_VXLAN_LOCAL6}) == ip("2001:db8::1"));
  CHECK_FALSE(has(data, IFLA_VXLAN_LOCAL));
  CHECK_FALSE(has(data, IFLA_VXLAN_LINK));
  CHECK(value_at<std::uint8_t>(data, {IFLA_VXLAN_LEARNING}) == 1);
}

TEST_CASE("encode: a veth pair's far end is a whole link inside VETH_INFO_PEER") {
  VethSpec spec;
  spec.name = "vp0";
  spec.index = {12};
  spec.master = IfIndex{10};
  spec.peer_name = "eth0";
  spec.peer_index = {2};
  spec.peer_mac = mac();
  spec.peer_netns_fd = 9;
  spec.mtu = Mtu::from(1450).value();
  const Message message = encode_veth(spec);
  CHECK(header_of<ifinfomsg>(message).ifi_index == 12);
  const auto link = attributes_of<ifinfomsg>(message);
  CHECK(value_at<std::uint32_t>(link, {IFLA_MASTER}) == 10);
  CHECK(value_at<std::uint32_t>(link, {IFLA_MTU}) == 1450);
  CHECK_FALSE(has(link, IFLA_NET_NS_FD));
  const auto peer = at(link, {IFLA_LINKINFO, IFLA_INFO_DATA, VETH_INFO_PEER});
  CHECK(nl::load<ifinfomsg>(peer).value().ifi_index == 2);
  CHECK(nl::load<ifinfomsg>(peer).value().ifi_flags == 0);
  const auto far = nl::after(peer, sizeof(ifinfomsg));
  CHECK(text_at(far, {IFLA_IFNAME}) == "eth0");
  CHECK(value_at<std::uint32_t>(far, {IFLA_NET_NS_FD}) == 9);
  CHECK(value_at<Mac>(far, {IFLA_ADDRESS}) == mac());
  CHECK(value_at<std::uint32_t>(far, {IFLA_MTU}) == 1450);
  CHECK(message.describe() == "RTM_NEWLINK veth vp0 peer eth0");
}

TEST_CASE("encode: a link change creates nothing and carries only what is set") {
  LinkChange change;
  change.index = {3};
  change.up = true;
  const Message up = encode_link_change(change);
  CHECK(up.flags() == NLM_F_REQUEST);
  CHECK(header_of<ifinfomsg>(up).ifi_flags == IFF_UP);
  CHECK(header_of<ifinfomsg>(up).ifi_change == IFF_UP);
  CHECK(attributes_of<ifinfomsg>(up).empty());
  CHECK(up.describe() == "RTM_NEWLINK ifindex 3 up");
  change.up = false;
  change.new_name = "eth7";
  change.master = IfIndex{};
  change.alias = "particle:a";
  const Message down = encode_link_change(change);
  CHECK(header_of<ifinfomsg>(down).ifi_flags == 0);
  CHECK(header_of<ifinfomsg>(down).ifi_change == IFF_UP);
  CHECK(value_at<std::uint32_t>(attributes_of<ifinfomsg>(down), {IFLA_MASTER}) == 0);
  CHECK(text_at(attributes_of<ifinfomsg>(down), {IFLA_IFALIAS}) == "particle:a");
  CHECK(down.describe() == "RTM_NEWLINK ifindex 3 name eth7 down master 0 alias particle:a");
}

TEST_CASE(
    "encode: a link is named by its name where the index is unknown, but cannot be renamed so") {
  LinkChange change;
  change.name = "eth0";
  change.mtu = Mtu::from(1400).value();
  change.mac = mac();
  const Message message = encode_link_change(change);
  CHECK(header_of<ifinfomsg>(message).ifi_index == 0);
  CHECK(header_of<ifinfomsg>(message).ifi_change == 0);
  CHECK(text_at(attributes_of<ifinfomsg>(message), {IFLA_IFNAME}) == "eth0");
  CHECK(message.describe() == "RTM_NEWLINK eth0 mtu 1400 address 02:00:5e:10:00:01");
  change.new_name = "eth1";
  CHECK(encode_link_change(change).bytes().empty());
}

TEST_CASE("encode: port settings travel as the data of a bridge's slave") {
  LinkChange change;
  change.index = {3};
  change.port = BridgePortSpec{false, true, false, std::nullopt, true, true};
  const Message message = encode_link_change(change);
  const auto link = attributes_of<ifinfomsg>(message);
  CHECK(text_at(link, {IFLA_LINKINFO, IFLA_INFO_SLAVE_KIND}) == "bridge");
  const auto port = at(link, {IFLA_LINKINFO, IFLA_INFO_SLAVE_DATA});
  CHECK(value_at<std::uint8_t>(port, {IFLA_BRPORT_LEARNING}) == 0);
  CHECK(value_at<std::uint8_t>(port, {IFLA_BRPORT_UNICAST_FLOOD}) == 1);
  CHECK(value_at<std::uint8_t>(port, {IFLA_BRPORT_MCAST_FLOOD}) == 0);
  CHECK(value_at<std::uint8_t>(port, {IFLA_BRPORT_NEIGH_SUPPRESS}) == 1);
  CHECK(value_at<std::uint8_t>(port, {IFLA_BRPORT_ISOLATED}) == 1);
  CHECK_FALSE(has(port, IFLA_BRPORT_BCAST_FLOOD));
  CHECK(message.describe() == "RTM_NEWLINK ifindex 3 bridge port settings");
}

TEST_CASE("encode: links are removed by index or name, and moved by name") {
  CHECK(encode_link_removal(IfIndex{7}).describe() == "RTM_DELLINK ifindex 7");
  CHECK(encode_link_removal("vx0").describe() == "RTM_DELLINK vx0");
  CHECK(encode_link_removal(IfIndex{}).bytes().empty());
  const Message move = encode_link_move("vp0", 5);
  CHECK(move.describe() == "RTM_NEWLINK vp0 into another namespace");
  CHECK(value_at<std::uint32_t>(attributes_of<ifinfomsg>(move), {IFLA_NET_NS_FD}) == 5);
}

TEST_CASE("encode: an IPv4 host address is as small as it gets") {
  const Message message = encode_addr({{2}, ip("10.0.0.7"), 32, true});
  CHECK(message.type() == RTM_NEWADDR);
  CHECK(message.flags() == kCreate);
  CHECK(message.bytes().size() == sizeof(nlmsghdr) + sizeof(ifaddrmsg) + 8 + 8);
  const auto header = header_of<ifaddrmsg>(message);
  CHECK(header.ifa_family == AF_INET);
  CHECK(header.ifa_prefixlen == 32);
  CHECK(header.ifa_index == 2);
  CHECK(header.ifa_scope == RT_SCOPE_UNIVERSE);
  CHECK(address_at(attributes_of<ifaddrmsg>(message), {IFA_LOCAL}) == ip("10.0.0.7"));
  CHECK(address_at(attributes_of<ifaddrmsg>(message), {IFA_ADDRESS}) == ip("10.0.0.7"));
  CHECK(message.describe() == "RTM_NEWADDR 10.0.0.7/32 ifindex 2");
}

TEST_CASE("encode: address flags keep out prefix routes and duplicate address detection") {
  const auto flags_of = [](const AddrSpec& spec) {
    const Message message = encode_addr(spec);
    const auto attributes = attributes_of<ifaddrmsg>(message);
    return has(attributes, IFA_FLAGS) ? value_at<std::uint32_t>(attributes, {IFA_FLAGS}) : 0U;
  };
  CHECK(flags_of({{2}, ip("10.0.0.7"), 24, true}) == IFA_F_NOPREFIXROUTE);
  CHECK(flags_of({{2}, ip("10.0.0.7"), 24, false}) == 0);
  CHECK(flags_of({{2}, ip("fd00::7"), 64, true}) == (IFA_F_NODAD | IFA_F_NOPREFIXROUTE));
  CHECK(flags_of({{2}, ip("fd00::7"), 128, true}) == (IFA_F_NODAD | IFA_F_NOPREFIXROUTE));
  CHECK(flags_of({{2}, ip("fd00::7"), 64, false}) == IFA_F_NODAD);
  CHECK(header_of<ifaddrmsg>(encode_addr({{1}, ip("127.0.0.2"), 8, true})).ifa_scope ==
        RT_SCOPE_HOST);
}

TEST_CASE("encode: a range of addresses is one message per address, in order") {
  const auto range = IpRange::parse("10.0.0.254-10.0.1.1").value();
  const auto messages = encode_addr_range({4}, range, Verb::remove);
  REQUIRE(messages.size() == 4);
  CHECK(messages[0].describe() == "RTM_DELADDR 10.0.0.254/32 ifindex 4");
  CHECK(messages[2].describe() == "RTM_DELADDR 10.0.1.0/32 ifindex 4");
  CHECK(messages[3].type() == RTM_DELADDR);
  CHECK(messages[3].flags() == NLM_F_REQUEST);
  const auto six = encode_addr_range({4}, IpRange::parse("fd00::1-fd00::2").value());
  CHECK(six.back().describe() == "RTM_NEWADDR fd00::2/128 ifindex 4");
}

TEST_CASE("encode: a local route makes a whole prefix this host's") {
  RouteSpec spec;
  spec.destination = prefix("10.1.0.0/16");
  spec.device = {1};
  spec.kind = RouteKind::local;
  const Message message = encode_route(spec);
  const auto header = header_of<rtmsg>(message);
  CHECK(message.flags() == kCreate);
  CHECK(header.rtm_table == RT_TABLE_LOCAL);
  CHECK(header.rtm_type == RTN_LOCAL);
  CHECK(header.rtm_scope == RT_SCOPE_HOST);
  CHECK(header.rtm_protocol == RTPROT_STATIC);
  CHECK(header.rtm_dst_len == 16);
  CHECK(value_at<std::uint32_t>(attributes_of<rtmsg>(message), {RTA_OIF}) == 1);
  CHECK(message.describe() == "RTM_NEWROUTE local 10.1.0.0/16 ifindex 1");
  spec.destination = prefix("fd00::/64");
  CHECK(header_of<rtmsg>(encode_route(spec)).rtm_scope == RT_SCOPE_UNIVERSE);
}

TEST_CASE("encode: a unicast route has a gateway, on link or not, and a source") {
  RouteSpec spec;
  spec.destination = prefix("10.2.0.0/16");
  spec.device = {2};
  CHECK(header_of<rtmsg>(encode_route(spec)).rtm_scope == RT_SCOPE_LINK);
  spec.gateway = ip("10.9.0.1");
  spec.onlink = true;
  spec.preferred_source = ip("10.1.0.1");
  const Message message = encode_route(spec, Verb::replace);
  const auto header = header_of<rtmsg>(message);
  CHECK(message.flags() == kReplace);
  CHECK(header.rtm_table == RT_TABLE_MAIN);
  CHECK(header.rtm_type == RTN_UNICAST);
  CHECK(header.rtm_scope == RT_SCOPE_UNIVERSE);
  CHECK(header.rtm_flags == RTNH_F_ONLINK);
  CHECK(address_at(attributes_of<rtmsg>(message), {RTA_GATEWAY}) == ip("10.9.0.1"));
  CHECK(address_at(attributes_of<rtmsg>(message), {RTA_PREFSRC}) == ip("10.1.0.1"));
  CHECK(message.describe() == "RTM_NEWROUTE 10.2.0.0/16 via 10.9.0.1 ifindex 2 src 10.1.0.1");
  spec.destination = prefix("0.0.0.0/0");
  CHECK(encode_route(spec, Verb::remove).describe() ==
        "RTM_DELROUTE default via 10.9.0.1 ifindex 2 src 10.1.0.1");
}

TEST_CASE("encode: a neighbour is permanent") {
  const Message message = encode_neigh({{3}, ip("fd00::1"), mac()});
  const auto header = header_of<ndmsg>(message);
  CHECK(message.flags() == kReplace);
  CHECK(header.ndm_family == AF_INET6);
  CHECK(header.ndm_state == NUD_PERMANENT);
  CHECK(header.ndm_ifindex == 3);
  CHECK(address_at(attributes_of<ndmsg>(message), {NDA_DST}) == ip("fd00::1"));
  CHECK(message.describe() == "RTM_NEWNEIGH fd00::1 lladdr 02:00:5e:10:00:01 ifindex 3");
}

TEST_CASE(
    "encode: an FDB entry belongs to the vxlan device when it has a remote, else to the bridge") {
  const Message self = encode_fdb({{3}, mac(), ip("192.0.2.1")});
  CHECK(header_of<ndmsg>(self).ndm_family == AF_BRIDGE);
  CHECK(header_of<ndmsg>(self).ndm_flags == NTF_SELF);
  CHECK(header_of<ndmsg>(self).ndm_state == (NUD_NOARP | NUD_PERMANENT));
  CHECK(at(attributes_of<ndmsg>(self), {NDA_DST}).size() == 4);
  CHECK(self.describe() == "RTM_NEWNEIGH 02:00:5e:10:00:01 dst 192.0.2.1 ifindex 3");
  const Message six = encode_fdb({{3}, mac(), ip("2001:db8::1")});
  CHECK(at(attributes_of<ndmsg>(six), {NDA_DST}).size() == 16);
  const Message port = encode_fdb({{4}, mac(), std::nullopt}, Verb::remove);
  CHECK(port.type() == RTM_DELNEIGH);
  CHECK(header_of<ndmsg>(port).ndm_flags == NTF_MASTER);
  CHECK(header_of<ndmsg>(port).ndm_state == NUD_NOARP);
  CHECK_FALSE(has(attributes_of<ndmsg>(port), NDA_DST));
  CHECK(port.describe() == "RTM_DELNEIGH 02:00:5e:10:00:01 ifindex 4");
}
