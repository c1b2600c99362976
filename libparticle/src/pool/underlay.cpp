// SPDX-License-Identifier: Apache-2.0
#include "pool/underlay.hpp"

#include <algorithm>

namespace particle {
namespace {

/// Every device that could carry the underlay, for hints.
std::string candidates(const ObservedNamespace& node) {
  std::string text;
  for (const auto& link : node.links) {
    for (const auto& address : node.addresses) {
      if (address.device != link.index || address.link_scope) continue;
      text += (text.empty() ? "" : ", ") + link.name + " (" + address.address.to_string() +
              (link.up ? "" : ", down") + ")";
      break;
    }
  }
  return text.empty() ? "this namespace has no device with a global address; `--underlay-dev lo` "
                        "makes a pool for this "
                        "node alone"
                      : "candidates: " + text;
}

const ObservedAddress* first_address(const ObservedNamespace& node, IfIndex device,
                                     bool any_scope) {
  for (auto family : {Family::v4, Family::v6}) {
    for (const auto& address : node.addresses) {
      if (address.device == device && address.address.family() == family &&
          (any_scope || !address.link_scope)) {
        return &address;
      }
    }
  }
  return nullptr;
}

Result<UnderlayFacts> finish(const ObservedNamespace& node, const ObservedLink& link,
                             const IpAddress& address, bool bind) {
  const std::string name = "underlay " + link.name;
  if (!link.up) {
    return fail(
        Error::of(Errc::invalid_argument, name + " is down",
                  "ip link set " + link.name + " up, or choose another: " + candidates(node)));
  }
  const std::uint32_t overhead = encapsulation_overhead(address.family());
  if (link.mtu < Mtu::kMin + overhead) {
    return fail(Error::of(Errc::invalid_argument,
                          name + " has MTU " + std::to_string(link.mtu) +
                              ", too small for VXLAN: the encapsulation takes " +
                              std::to_string(overhead) + " bytes",
                          "raise its MTU to " + std::to_string(Mtu::kMin + overhead) + " or more"));
  }
  auto mtu = Mtu::from(std::min<std::uint64_t>(link.mtu - overhead, Mtu::kMax));
  if (!mtu) return fail(std::move(mtu.error()));
  UnderlayFacts facts{
      .address = address, .device = link.name, .bound = std::nullopt, .pool_mtu = *mtu};
  if (bind) facts.bound = link.index;
  return facts;
}

Result<UnderlayFacts> by_device(const std::string& device, const ObservedNamespace& node) {
  const ObservedLink* link = node.link(device);
  if (link == nullptr) {
    return fail(Error::of(Errc::not_found,
                          "underlay device " + device + " does not exist on this node",
                          candidates(node)));
  }
  // On lo the only address has host scope; elsewhere link-local ones are no underlay.
  const ObservedAddress* address = first_address(node, link->index, link->index == IfIndex{1});
  if (address == nullptr && link->up) {
    return fail(Error::of(Errc::invalid_argument,
                          "underlay device " + device + " has no IP address",
                          "ip addr add ADDRESS/LENGTH dev " + device));
  }
  return finish(node, *link, address != nullptr ? address->address : IpAddress{}, true);
}

Result<UnderlayFacts> by_address(const IpAddress& asked, const ObservedNamespace& node) {
  for (const auto& address : node.addresses) {
    if (address.address != asked) continue;
    if (const ObservedLink* link = node.link(address.device))
      return finish(node, *link, asked, false);
  }
  return fail(Error::of(Errc::not_found,
                        "underlay address " + asked.to_string() + " is not on this node",
                        candidates(node)));
}

/// The only device other than lo that is up and has a global address.
const ObservedLink* only_candidate(const ObservedNamespace& node) {
  const ObservedLink* found = nullptr;
  for (const auto& link : node.links) {
    if (!link.up || link.index == IfIndex{1} || first_address(node, link.index, false) == nullptr)
      continue;
    if (found != nullptr) return nullptr;
    found = &link;
  }
  return found;
}

}  // namespace

Result<UnderlayFacts> choose_underlay(const Underlay& asked, const ObservedNamespace& node,
                                      std::optional<IfIndex> default_route) {
  if (asked.device) return by_device(*asked.device, node);
  if (asked.address) return by_address(*asked.address, node);
  const ObservedLink* link = default_route ? node.link(*default_route) : nullptr;
  if (link == nullptr || first_address(node, link->index, false) == nullptr)
    link = only_candidate(node);
  if (link == nullptr) {
    return fail(Error::of(Errc::invalid_argument,
                          "no underlay given, and no default route to take it from",
                          "give --underlay-dev DEV or --underlay-ip IP; " + candidates(node)));
  }
  // Not bound: the node may route to peers over any of its devices.
  return finish(node, *link, first_address(node, link->index, false)->address, false);
}

Result<UnderlayFacts> find_underlay(const Underlay& asked, const NetNs& node) {
  auto observed = observe_links(node);
  if (!observed) return fail(std::move(observed.error()));
  std::optional<IfIndex> default_route;
  if (!asked.device && !asked.address) {
    auto device = default_route_device(node);
    if (!device) return fail(std::move(device.error()));
    default_route = *device;
  }
  return choose_underlay(asked, *observed, default_route);
}

}  // namespace particle
