// SPDX-License-Identifier: Apache-2.0
/// What the tests of pools have in common: two nodes, short spellings of specs, other programs' view.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/netns.hpp>
#include <particle/node.hpp>

#include "support/netns_fixture.hpp"

namespace particle::test {

inline IpAddress ip(const std::string& text) {
  return must(IpAddress::parse(text));
}

inline IpPrefix net(const std::string& text) {
  return must(IpPrefix::parse(text));
}

/// `10.1.0.0/24`, or `10.1.0.0/24 10.1.0.8-10.1.0.15` with a range.
inline AddressBlock block(const std::string& text) {
  const auto space = text.find(' ');
  AddressBlock out{net(text.substr(0, space)), std::nullopt};
  if (space != std::string::npos) out.range = must(IpRange::parse(text.substr(space + 1)));
  return out;
}

inline PoolSpec pool_spec(const std::string& name, const std::string& tenant, std::uint64_t vni,
                          std::initializer_list<const char*> blocks) {
  PoolSpec spec;
  spec.name = name;
  spec.tenant = tenant;
  spec.vni = must(Vni::from(vni));
  for (const char* text : blocks) spec.blocks.push_back(block(text));
  return spec;
}

inline Node open_node(const NetNs& netns, const std::string& run_dir) {
  std::optional<Node> node;
  must(netns.run([&]() -> Result<void> {
    auto opened = Node::open({run_dir});
    if (!opened) return fail(std::move(opened.error()));
    node.emplace(*std::move(opened));
    return {};
  }));
  return *std::move(node);
}

/// Two nodes that share a run directory, as two namespaces of one machine do.
struct Scene {
  TempRunDir dir;
  TwoNodes nodes;
  Node a;
  Node b;

  explicit Scene(unsigned underlay_mtu = 1500)
      : nodes(make_two_nodes(underlay_mtu)),
        a(open_node(nodes.a, dir.path())),
        b(open_node(nodes.b, dir.path())) {}
};

inline Peer as_peer(const PoolInfo& info) {
  return {info.tenant, info.vtep, info.mac, info.routes};
}

inline const IpAddress& primary(const PoolInfo& info, Family family) {
  const auto& address = family == Family::v4 ? info.primary_v4 : info.primary_v6;
  REQUIRE(address.has_value());
  return *address;
}

inline IpAddress endpoint(const PoolInfo& info, Family family, std::uint64_t index) {
  return must(primary(info, family).plus(index));
}

inline constexpr Family kFamilies[] = {Family::v4, Family::v6};
inline constexpr AddressMode kModes[] = {AddressMode::secondary, AddressMode::anyip};

inline LeaseRequest wish(const std::string& pool, const std::string& holder,
                         std::uint64_t count = 1) {
  LeaseRequest request;
  request.pool = pool;
  request.holder = holder;
  request.count = count;
  return request;
}

inline LeaseRequest named(const std::string& pool, const std::string& holder,
                          const IpAddress& address) {
  LeaseRequest request = wish(pool, holder);
  request.address = address;
  return request;
}

/// What another program says, in JSON: `as_json({"ip", "-j", "addr"}, netns)`.
inline nlohmann::json as_json(const std::vector<std::string>& argv, const NetNs& netns) {
  const CommandResult result = run_command(argv, &netns);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const bool empty = result.out.find_first_not_of(" \n") == std::string::npos;
  return nlohmann::json::parse(empty ? "[]" : result.out);
}

/// The command must succeed.
inline void run_ok(const std::vector<std::string>& argv, const NetNs& netns) {
  const CommandResult result = run_command(argv, &netns);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
}

/// Creates the pool and returns what inspect_pool says of it, which must be that all is well.
inline PoolInfo make_pool(const Node& node, const PoolSpec& spec) {
  must(node.create_pool(spec));
  PoolInfo info = must(node.inspect_pool(spec.name));
  CHECK(info.health == PoolHealth::ready);
  CHECK(info.problems == std::vector<std::string>{});
  return info;
}

inline std::string said(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace particle::test
