// SPDX-License-Identifier: Apache-2.0
// The two tables of a tenant's gateway, as nft(8) reads them.
#include <cinttypes>
#include <cstdio>

#include "pool/egress.hpp"

namespace particle {
namespace {

/// FNV-1a: only to tell one text from another.
std::string digest(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  char out[17];
  std::snprintf(out, sizeof out, "%016" PRIx64, hash);
  return out;
}

std::string with_comment(const std::string& rules) {
  return "comment \"" + digest(rules) + "\"\n" + rules;
}

const char* word(Family family) {
  return family == Family::v4 ? "ip" : "ip6";
}

/// `{ a, b }` of the prefixes of one family that pools of this kind of egress own; empty without any.
std::string prefix_set(const std::vector<PoolRecord>& pools, Family family,
                       std::optional<Egress> only = std::nullopt) {
  std::string set;
  for (const auto& pool : pools) {
    if (pool.egress == Egress::none || (only && pool.egress != *only)) continue;
    for (const auto& prefix : pool.owned()) {
      if (prefix.family() != family) continue;
      set += (set.empty() ? "{ " : ", ") + prefix.to_string();
    }
  }
  return set.empty() ? set : set + " }";
}

template <class Visit>
void for_each_port(const std::vector<PoolRecord>& pools, Visit visit) {
  for (const auto& pool : pools) {
    for (const auto& port : pool.published) visit(port);
  }
}

std::string with_port(const IpAddress& address, std::uint16_t port) {
  const std::string text = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  return text + ":" + std::to_string(port);
}

std::string dport(const PublishedPort& port) {
  return std::string(to_string(port.protocol)) + " dport " + std::to_string(port.node_port);
}

std::string chain(const std::string& name, const std::string& hook, const std::string& rules) {
  return "chain " + name + " {\ntype " + hook + "\n" + rules + "}\n";
}

constexpr Family kBoth[] = {Family::v4, Family::v6};

/// VXLAN goes to the node's own VTEPs and to those of others, past every tenant's wall: no tenant may
/// make up its frames. The second port is that of overlay evpn's mirrors.
constexpr const char* kTunnels = "udp dport { 4789, 14789 } drop\n";

}  // namespace

IpAddress uplink_address(Vni vni, Family family) {
  const auto base = IpAddress::parse(family == Family::v4 ? "240.0.0.0" : "fd70:6172:7469:636c::");
  return base->plus(vni.value()).value();
}

std::string comment_of(const std::string& rules) {
  const auto begin = rules.find('"');
  if (begin == std::string::npos) return {};
  return rules.substr(begin + 1, rules.find('"', begin + 1) - begin - 1);
}

std::string vtep_rules(const TenantRecord& tenant, const std::vector<PoolRecord>& pools) {
  if (pools.empty()) return {};
  const std::string bridge = "\"" + tenant.bridge() + "\"";
  std::string forward = "ct state established,related accept\n";
  std::string in;
  std::string out;
  for (const Family family : kBoth) {
    const std::string ip = word(family);
    if (const auto all = prefix_set(pools, family); !all.empty()) {
      forward += "iifname " + bridge + " oifname \"" + kUplinkDevice + "\" " + ip + " saddr " +
                 all + " accept\n";
    }
    if (const auto some = prefix_set(pools, family, Egress::masquerade); !some.empty()) {
      out += std::string("oifname \"") + kUplinkDevice + "\" " + ip + " saddr " + some + " snat " +
             ip + " to " + uplink_address(tenant.vni, family).to_string() + "\n";
    }
  }
  forward += std::string("iifname \"") + kUplinkDevice + "\" ct status dnat accept\n";
  for_each_port(pools, [&](const PublishedPort& port) {
    const Family family = port.endpoint.family();
    const std::string ip = word(family);
    in += std::string("iifname \"") + kUplinkDevice + "\" " + ip + " daddr " +
          uplink_address(tenant.vni, family).to_string() + " " + dport(port) + " dnat " + ip +
          " to " + with_port(port.endpoint, port.port) + "\n";
  });
  return with_comment(
      chain("input", "filter hook input priority filter; policy drop;", "") +
      chain("forward", "filter hook forward priority filter; policy drop;", forward) +
      chain("prerouting", "nat hook prerouting priority dstnat; policy accept;", in) +
      chain("postrouting", "nat hook postrouting priority srcnat; policy accept;", out));
}

std::string node_rules(const TenantRecord& tenant, const std::vector<PoolRecord>& pools) {
  if (pools.empty()) return {};
  const std::string from = "iifname \"" + tenant.uplink() + "\" ";
  const std::string to = "oifname \"" + tenant.uplink() + "\" ";
  // Every tenant's uplink: none may reach another's, nor what another has published.
  const std::string any = std::string("\"") + kUplinkPrefix + "*\"";
  std::string input = from + "ct state established,related accept\n" + from + "drop\n";
  std::string forward = from + "oifname " + any + " drop\n" + from + kTunnels + from +
                        "ct state established,related accept\n";
  std::string masquerade;
  for (const Family family : kBoth) {
    const std::string ip = word(family);
    const std::string uplink = uplink_address(tenant.vni, family).to_string();
    forward += from + ip + " saddr " + uplink + " accept\n";
    if (const auto some = prefix_set(pools, family, Egress::routed); !some.empty())
      forward += from + ip + " saddr " + some + " accept\n";
    masquerade += ip + " saddr " + uplink + " oifname != " + any + " masquerade\n";
  }
  forward += from + "drop\n" + to + "ct state established,related accept\n" + to +
             "ct status dnat accept\n" + to + "drop\n";
  std::string in;
  std::string own;
  for_each_port(pools, [&](const PublishedPort& port) {
    const Family family = port.endpoint.family();
    const std::string ip = word(family);
    const std::string target = dport(port) + " dnat " + ip + " to " +
                               with_port(uplink_address(tenant.vni, family), port.node_port) + "\n";
    const std::string nf = family == Family::v4 ? "meta nfproto ipv4 " : "meta nfproto ipv6 ";
    in += "iifname != " + any + " " + nf + "fib daddr type local " + target;
    const char* loopback = family == Family::v4 ? "ip daddr != 127.0.0.0/8 " : "ip6 daddr != ::1 ";
    own += loopback + std::string("fib daddr type local ") + target;
  });
  return with_comment(
      chain("input", "filter hook input priority filter - 10; policy accept;", input) +
      chain("forward", "filter hook forward priority filter - 10; policy accept;", forward) +
      chain("prerouting", "nat hook prerouting priority dstnat; policy accept;", in) +
      chain("output", "nat hook output priority -100; policy accept;", own) +
      chain("postrouting", "nat hook postrouting priority srcnat; policy accept;", masquerade));
}

}  // namespace particle
