// SPDX-License-Identifier: Apache-2.0
#include "evpn/frr_config.hpp"

#include <algorithm>

namespace particle::overlay::evpn {
namespace {

Error wrong(std::string what, std::string hint = {}) {
  return Error::of(Errc::invalid_argument, std::move(what), std::move(hint));
}

void check_address(const IpAddress& address, const char* what, std::vector<Error>& errors) {
  if (!address.is_v4() || address.is_unspecified() || address.is_multicast()) {
    errors.push_back(
        wrong(std::string(what) + " " + address.to_string() + " is not an IPv4 unicast address",
              "FRR 8.4 carries EVPN over an IPv4 underlay only"));
  }
}

/// Every setting of a neighbour or a group of them.
std::string neighbour(const FrrConfigSpec& spec, const std::string& name) {
  const std::string timers =
      std::to_string(spec.keepalive) + " " + std::to_string(3 * spec.keepalive);
  return " neighbor " + name + " remote-as " + std::to_string(spec.as_number) + "\n neighbor " +
         name + " update-source " + spec.local.to_string() + "\n neighbor " + name + " timers " +
         timers + "\n neighbor " + name + " timers connect 5\n";
}

}  // namespace

std::vector<Error> check(const FrrConfigSpec& spec) {
  std::vector<Error> errors;
  if (spec.as_number == 0) errors.push_back(wrong("AS number 0 is reserved"));
  check_address(spec.local, "the node's address", errors);
  for (const IpAddress& peer : spec.peers) {
    check_address(peer, "peer", errors);
    if (peer == spec.local)
      errors.push_back(wrong("peer " + peer.to_string() + " is the node's own address"));
    if (std::count(spec.peers.begin(), spec.peers.end(), peer) > 1)
      errors.push_back(wrong("peer " + peer.to_string() + " is given twice"));
  }
  if (spec.peers.empty() && !spec.reflect)
    errors.push_back(
        wrong("there is no peer", "name the other nodes or the reflectors with --peer"));
  if (spec.reflect && spec.reflect->family() != Family::v4)
    errors.push_back(wrong("prefix " + spec.reflect->to_string() + " is not IPv4"));
  if (spec.keepalive == 0 || spec.keepalive > 21845)
    errors.push_back(wrong("a keepalive interval is 1 to 21845 seconds"));
  return errors;
}

std::string frr_config(const FrrConfigSpec& spec) {
  const std::string group = "NODES";
  std::string out =
      "! /etc/frr/frr.conf for Particle's overlay evpn. /etc/frr/daemons: bgpd=yes\n"
      "frr defaults datacenter\n"
      "!\n"
      "router bgp " +
      std::to_string(spec.as_number) + "\n bgp router-id " + spec.local.to_string() +
      "\n no bgp default ipv4-unicast\n";
  // What was learnt stays in the kernel while bgpd starts again.
  out += " bgp graceful-restart\n";
  if (spec.reflect) {
    out += " neighbor " + group + " peer-group\n";
    out += neighbour(spec, group);
    out += " bgp listen range " + spec.reflect->to_string() + " peer-group " + group + "\n";
  }
  for (const IpAddress& peer : spec.peers) out += neighbour(spec, peer.to_string());
  out += " !\n address-family l2vpn evpn\n";
  if (spec.reflect) {
    out += "  neighbor " + group + " activate\n";
    out += "  neighbor " + group + " route-reflector-client\n";
  }
  for (const IpAddress& peer : spec.peers) out += "  neighbor " + peer.to_string() + " activate\n";
  return out + "  advertise-all-vni\n exit-address-family\nexit\n";
}

}  // namespace particle::overlay::evpn
