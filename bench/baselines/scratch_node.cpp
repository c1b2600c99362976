// SPDX-License-Identifier: Apache-2.0
#include "baselines/scratch_node.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <particle/unique_fd.hpp>

#include "baselines/baseline.hpp"

namespace particle::baselines {
namespace {

constexpr std::uint32_t kFirstBridge = 10;
constexpr std::uint32_t kFirstVni = 4242;

IfIndex bridge(std::uint32_t number) {
  return IfIndex{kFirstBridge + 2 * number};
}

Result<void> make_vtep(ScratchNode& made, std::uint32_t number) {
  BridgeSpec spec;
  spec.name = "br" + std::to_string(number);
  spec.index = bridge(number);
  if (auto done = made.vtep.session.apply(encode_bridge(spec)); !done) return done;

  VxlanSpec vxlan;
  vxlan.name = "vx" + std::to_string(number);
  vxlan.index = IfIndex{bridge(number).value + 1};
  vxlan.vni = Vni::from(kFirstVni + number).value();
  vxlan.master = bridge(number);
  vxlan.netns_fd = made.vtep.netns.fd();
  if (auto done = made.node.session.apply(encode_vxlan(vxlan)); !done) return done;

  LinkChange bridge_up;
  bridge_up.index = bridge(number);
  bridge_up.up = true;
  LinkChange vxlan_up = bridge_up;
  vxlan_up.index = vxlan.index;
  const std::array requests{encode_link_change(bridge_up), encode_link_change(vxlan_up)};
  return made.vtep.session.apply(requests);
}

Result<std::size_t> count_devices(const NetNs& netns) {
  std::size_t count = 0;
  auto ran = netns.run([&]() -> Result<void> {
    const std::unique_ptr<struct if_nameindex[], decltype(&if_freenameindex)> all(
        if_nameindex(), &if_freenameindex);
    if (!all) return fail(Error::from_errno(errno, "list the VTEP's devices"));
    while (all[count].if_index != 0) ++count;
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  return count;
}

Result<void> bind_once(const NetNs& netns, const IpAddress& address) {
  return netns.run([&]() -> Result<void> {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    const auto bytes = address.bytes();
    std::memcpy(&name.sin_addr, bytes.data(), sizeof(name.sin_addr));
    if (!socket.valid() ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
      return fail(Error::from_errno(errno, "bind to " + address.to_string()));
    }
    return {};
  });
}

}  // namespace

IfIndex bridge_of(std::uint64_t i) {
  return bridge(static_cast<std::uint32_t>(i / kContainersPerBridge));
}

std::uint64_t bridges_for(std::uint64_t containers) {
  return containers == 0 ? 1 : (containers - 1) / kContainersPerBridge + 1;
}

Result<ScratchNode> make_scratch_node(std::uint64_t containers) {
  auto node = create_netns();
  if (!node) return fail(std::move(node.error()));
  auto vtep = create_netns();
  if (!vtep) return fail(std::move(vtep.error()));
  ScratchNode made{std::move(*node), std::move(*vtep)};
  for (std::uint32_t number = 0; number < bridges_for(containers); ++number) {
    if (auto done = make_vtep(made, number); !done) return fail(std::move(done.error()));
  }
  return made;
}

IpAddress container_address(std::uint64_t i) {
  static const IpAddress base = IpAddress::parse("10.1.0.1").value();
  return base.plus(i).value();
}

Result<void> check_made(const NetNs& vtep, std::uint64_t containers, const GuestOf& guest_of) {
  const auto devices = count_devices(vtep);
  if (!devices) return fail(devices.error());
  const std::uint64_t wanted = containers + 2 * bridges_for(containers) + 1;  // and lo
  if (*devices != wanted) {
    return fail(Error::of(Errc::conflict, "the VTEP's namespace has " + std::to_string(*devices) +
                                              " devices, not " + std::to_string(wanted)));
  }
  for (const std::uint64_t i : {std::uint64_t{0}, containers / 2, containers - 1}) {
    auto guest = guest_of(i);
    if (!guest) return fail(std::move(guest.error()));
    if (auto done = bind_once(*guest, container_address(i)); !done) return done;
  }
  return {};
}

}  // namespace particle::baselines
