// SPDX-License-Identifier: Apache-2.0
/// A tenant's VTEP as FRR is to see it: a bridge, a vxlan device and a port in the node's own namespace,
/// which carry no packet. FRR reads from them what to announce (the pools' MACs and addresses), and
/// writes into them what the others announce, as it does for any EVPN bridge. The VTEP that carries the
/// traffic stays in its own namespace, out of FRR's reach: docs/adr/0006.
///
///     pe<vni>    bridge; permanent neighbours on it are announced as MAC/IP routes
///     pe<vni>v   vxlan of the tenant's VNI and underlay address, but of another UDP port
///     pe<vni>p   port with a static entry per pool's MAC; its other end is pe<vni>q
///
/// Threads: one at a time. Every function works on the namespace that the mirror was opened in.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/netns.hpp>
#include <particle/session.hpp>
#include <particle/types.hpp>
#include <particle/unique_fd.hpp>

#include "adapter.hpp"

namespace particle::overlay::evpn {

/// The mirror's vxlan sends and takes nothing; IANA's 4789 belongs to the real one.
inline constexpr std::uint16_t kMirrorPort = 14789;

/// Who has which addresses.
using Addresses = std::map<Mac, std::set<IpAddress>>;

/// What FRR has entered for one remote MAC.
struct Remote {
  Vni vni;
  Mac mac;
  IpAddress vtep;
  std::vector<IpAddress> addresses;
};

/// What a mirror holds.
struct Contents {
  std::map<Vni, IpAddress> mirrors;    ///< those that exist, with their underlay addresses
  std::map<Vni, Addresses> local;      ///< permanent neighbours: what is announced
  std::map<Vni, std::set<Mac>> ports;  ///< static entries of the port
  std::vector<Remote> remote;          ///< with at least one address each
};

class Mirror {
 public:
  /// In the calling thread's namespace. Errors: errno of socket(2) and bind(2).
  static Result<Mirror> open();

  /// Makes the tenant's mirror, or mends it. Idempotent.
  Result<void> ensure(const Vtep& vtep);
  /// Idempotent: none is no error.
  Result<void> remove(Vni vni);
  /// Makes the mirror announce what is wanted. `gone`: what it may no longer announce where that is not
  /// wanted; unset: anything else.
  Result<void> set_local(Vni vni, const Addresses& wanted, const std::optional<Addresses>& gone);
  Result<Contents> read();

  /// Readable when a neighbour or forwarding entry of the namespace has changed.
  [[nodiscard]] int fd() const noexcept { return events_.get(); }
  /// Takes what is to be read; returns whether any of it was about a mirror.
  bool drain();

 private:
  Mirror(Session session, NetNs netns, UniqueFd events)
      : session_(std::move(session)), netns_(std::move(netns)), events_(std::move(events)) {}
  Result<void> make(const Vtep& vtep);

  Session session_;
  NetNs netns_;
  UniqueFd events_;
};

}  // namespace particle::overlay::evpn
