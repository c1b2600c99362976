// SPDX-License-Identifier: Apache-2.0
#include "demo/topology.hpp"

#include <particle/addr.hpp>
#include <particle/link.hpp>

#include "harness/open_node.hpp"

namespace particle::cli::demo {
namespace {

constexpr IfIndex kLo{1};
constexpr IfIndex kUnderlay{10};

// Networks reserved for documentation (RFC 5737, RFC 3849).
IpAddress underlay_address(Family family, std::size_t node) {
  const char* base = family == Family::v4 ? "192.0.2.1" : "2001:db8::1";
  return IpAddress::parse(base).value().plus(node).value();
}

Message up(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return encode_link_change(change);
}

Message address(Family family, std::size_t node) {
  AddrSpec spec;
  spec.device = kUnderlay;
  spec.address = underlay_address(family, node);
  spec.prefix_length = family == Family::v4 ? 30 : 64;
  spec.no_prefix_route = false;
  return encode_addr(spec);
}

Result<void> link_nodes(FreshNetNs& a, FreshNetNs& b) {
  VethSpec veth;
  veth.name = kUnderlayDevice;
  veth.index = kUnderlay;
  veth.peer_name = kUnderlayDevice;
  veth.peer_index = kUnderlay;
  veth.peer_netns_fd = b.netns.fd();
  if (auto done = a.session.apply(encode_veth(veth)); !done) return done;
  for (std::size_t i = 0; i < kNodes; ++i) {
    const std::array requests{up(kLo), up(kUnderlay), address(Family::v4, i),
                              address(Family::v6, i)};
    if (auto done = (i == 0 ? a : b).session.apply(requests); !done) return done;
  }
  return {};
}

Result<DemoNode> finish(FreshNetNs fresh, std::size_t index, const std::string& run_dir) {
  auto node = bench::open_node(fresh.netns, run_dir);
  if (!node) return fail(std::move(node.error()));
  return DemoNode{index == 0 ? "node A" : "node B", std::move(fresh.netns), std::move(*node),
                  underlay_address(Family::v4, index), underlay_address(Family::v6, index)};
}

}  // namespace

Result<Topology> make_topology(const std::string& run_dir) {
  auto a = create_netns();
  if (!a) return fail(std::move(a.error()));
  auto b = create_netns();
  if (!b) return fail(std::move(b.error()));
  if (auto done = link_nodes(*a, *b); !done) return fail(std::move(done.error()));
  auto node_a = finish(std::move(*a), 0, run_dir);
  if (!node_a) return fail(std::move(node_a.error()));
  auto node_b = finish(std::move(*b), 1, run_dir);
  if (!node_b) return fail(std::move(node_b.error()));
  return Topology{std::move(*node_a), std::move(*node_b)};
}

}  // namespace particle::cli::demo
