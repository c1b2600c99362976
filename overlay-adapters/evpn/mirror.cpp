// SPDX-License-Identifier: Apache-2.0
#include "evpn/mirror.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <particle/link.hpp>
#include <particle/neigh.hpp>

#include "evpn/mirror_dump.hpp"

namespace particle::overlay::evpn {
namespace {

LinkChange raised(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return change;
}

/// Nothing is learnt and nothing is flooded: a mirror holds only what is entered.
LinkChange quiet_port(IfIndex index) {
  LinkChange change = raised(index);
  change.port = BridgePortSpec{};
  change.port->learning = false;
  change.port->unicast_flood = false;
  change.port->multicast_flood = false;
  change.port->broadcast_flood = false;
  return change;
}

std::vector<Message> devices_of(const Vtep& vtep) {
  const MirrorDevices device(vtep.vni);
  VxlanSpec vxlan;
  vxlan.name = device.name("v");
  vxlan.index = device.vxlan();
  vxlan.vni = vtep.vni;
  vxlan.local = vtep.address;
  vxlan.port = kMirrorPort;
  vxlan.master = device.bridge();
  VethSpec veth;
  veth.name = device.name("p");
  veth.index = device.port();
  veth.master = device.bridge();
  veth.peer_name = device.name("q");
  veth.peer_index = device.far();
  return {encode_bridge({.name = device.name(), .index = device.bridge(), .mtu = {}, .mac = {}}),
          encode_vxlan(vxlan), encode_veth(veth)};
}

std::vector<Message> raises_of(const Vtep& vtep) {
  const MirrorDevices device(vtep.vni);
  LinkChange bridge = raised(device.bridge());
  bridge.alias = "particle evpn tenant=" + vtep.tenant + " vni=" + std::to_string(vtep.vni.value());
  return {encode_link_change(quiet_port(device.vxlan())),
          encode_link_change(quiet_port(device.port())), encode_link_change(raised(device.far())),
          encode_link_change(bridge)};
}

/// Neither end of the port says a word of its own; the bridge may hold IPv6 neighbours, but has no
/// address.
std::vector<Sysctl> sysctls_of(Vni vni) {
  const MirrorDevices device(vni);
  std::vector<Sysctl> out;
  for (const char* end : {"v", "p", "q"})
    out.push_back({"net/ipv6/conf/" + device.name(end) + "/disable_ipv6", "1", true});
  out.push_back({"net/ipv6/conf/" + device.name() + "/addr_gen_mode", "1", true});
  out.push_back({"net/ipv6/conf/" + device.name() + "/accept_ra", "0", true});
  return out;
}

/// Errors: the first refusal that says more than that the object was not there.
Result<void> take_off(Session& session, const std::vector<Message>& requests) {
  auto verdicts = session.transact(requests);
  if (!verdicts) return fail(std::move(verdicts.error()));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const int error = (*verdicts)[i].error;
    if (error != 0 && error != ENOENT && error != ENODEV && error != ESRCH)
      return fail(to_error((*verdicts)[i], requests[i]));
  }
  return {};
}

}  // namespace

Result<Mirror> Mirror::open() {
  auto session = Session::open();
  if (!session) return fail(std::move(session.error()));
  auto netns = NetNs::current();
  if (!netns) return fail(std::move(netns.error()));
  UniqueFd events(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!events.valid()) return fail(Error::from_errno(errno, "socket for neighbour events"));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_NEIGH;
  if (::bind(events.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(Error::from_errno(errno, "bind to neighbour events"));
  return Mirror(*std::move(session), *std::move(netns), std::move(events));
}

bool Mirror::drain() {
  std::array<std::byte, 32768> buffer{};
  bool any = false;
  for (;;) {
    const ssize_t got = ::recv(events_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    // ENOBUFS: events were lost, which is news as well.
    if (got < 0 && errno != ENOBUFS) return any;
    any = any || got < 0 ||
          is_about_mirrors({buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
  }
}

Result<void> Mirror::make(const Vtep& vtep) {
  if (auto ok = session_.apply(devices_of(vtep)); !ok) return ok;
  if (auto ok = netns_.write_sysctls(sysctls_of(vtep.vni)); !ok) return ok;
  return session_.apply(raises_of(vtep));
}

Result<void> Mirror::ensure(const Vtep& vtep) {
  auto links = read_mirrors(session_);
  if (!links) return fail(std::move(links.error()));
  const auto there = links->find(vtep.vni);
  const bool whole = there != links->end() && there->second.whole;
  if (whole && there->second.local == vtep.address) return {};
  if (there != links->end()) {
    if (auto ok = remove(vtep.vni); !ok) return ok;
  }
  auto made = make(vtep);
  if (made) return made;
  (void)remove(vtep.vni);
  made.error().hint = "the EVPN mirror of tenant " + vtep.tenant + " needs the device names pe" +
                      std::to_string(vtep.vni.value()) + "* in the node's namespace";
  return made;
}

Result<void> Mirror::remove(Vni vni) {
  const MirrorDevices device(vni);
  return take_off(session_,
                  {encode_link_removal(device.name("v")), encode_link_removal(device.name("p")),
                   encode_link_removal(device.name())});
}

Result<void> Mirror::set_local(Vni vni, const Addresses& wanted,
                               const std::optional<Addresses>& gone) {
  auto contents = read();
  if (!contents) return fail(std::move(contents.error()));
  const MirrorDevices device(vni);
  const Addresses& have = contents->local[vni];
  const std::set<Mac>& ports = contents->ports[vni];
  std::map<IpAddress, Mac> owner;
  for (const auto& [mac, addresses] : wanted) {
    for (const auto& address : addresses) owner.emplace(address, mac);
  }
  const auto may_go = [&](const Mac& mac, const IpAddress& address) {
    if (!gone) return true;
    const auto found = gone->find(mac);
    return found != gone->end() && found->second.contains(address);
  };
  std::vector<Message> removals;
  for (const auto& [mac, addresses] : have) {
    for (const auto& address : addresses) {
      // One that only changes its MAC is replaced below.
      if (!owner.contains(address) && may_go(mac, address))
        removals.push_back(encode_neigh({device.bridge(), address, mac}, Verb::remove));
    }
  }
  for (const Mac& mac : ports) {
    if (!wanted.contains(mac) && (!gone || gone->contains(mac)))
      removals.push_back(encode_fdb({device.port(), mac, std::nullopt}, Verb::remove));
  }
  std::vector<Message> additions;
  for (const auto& [mac, addresses] : wanted) {
    // The MAC before its addresses: FRR wants to know it first.
    if (!ports.contains(mac)) additions.push_back(encode_fdb({device.port(), mac, std::nullopt}));
    const auto known = have.find(mac);
    for (const auto& address : addresses) {
      if (known == have.end() || !known->second.contains(address))
        additions.push_back(encode_neigh({device.bridge(), address, mac}));
    }
  }
  if (!removals.empty()) {
    if (auto ok = take_off(session_, removals); !ok) return ok;
  }
  return additions.empty() ? Result<void>{} : session_.apply(additions);
}

Result<Contents> Mirror::read() {
  auto links = read_mirrors(session_);
  if (!links) return fail(std::move(links.error()));
  return read_contents(session_, *links);
}

}  // namespace particle::overlay::evpn
