// SPDX-License-Identifier: Apache-2.0
// What can be said about a spec by looking at nothing else.
#include <algorithm>
#include <cctype>

#include <particle/peer.hpp>
#include <particle/pool.hpp>

#include "pool/record.hpp"

namespace particle {
namespace {

bool is_name_character(char c, bool first) {
  if (std::isalnum(static_cast<unsigned char>(c)) != 0) return true;
  return !first && (c == '_' || c == '.' || c == '-');
}

Error invalid(std::string what, std::string hint = {}) {
  return Error::of(Errc::invalid_argument, std::move(what), std::move(hint));
}

void check_block(const AddressBlock& block, std::vector<Error>& errors) {
  const std::string prefix = block.prefix.to_string();
  const IpAddress& network = block.prefix.network();
  if (network.is_multicast() || network.is_loopback() || network.is_link_local() ||
      (network.is_unspecified() && block.prefix.length() == 0)) {
    errors.push_back(invalid("prefix " + prefix + " cannot be routed to endpoints",
                             "use a private prefix, for instance 10.1.0.0/24 or fd00:1::/64"));
    return;
  }
  if (!block.range) return;
  if (block.range->family() != block.prefix.family() || !block.range->within(block.prefix)) {
    errors.push_back(
        invalid("range " + block.range->to_string() + " is not within prefix " + prefix));
  }
}

void check_count(const PoolSpec& spec, std::vector<Error>& errors) {
  if (spec.count && *spec.count == 0)
    errors.push_back(invalid("count 0: a pool has at least one endpoint"));
  std::uint64_t fits = kMaxEndpoints;
  for (const auto& block : spec.blocks) {
    const std::uint64_t capacity = block_capacity(block);
    fits = std::min(fits, capacity);
    if (spec.count && *spec.count > capacity) {
      const std::string where =
          block.range ? "range " + block.range->to_string() : "prefix " + block.prefix.to_string();
      errors.push_back(invalid("count " + std::to_string(*spec.count) + " does not fit " + where +
                                   ", which has " + std::to_string(capacity) + " endpoints",
                               "lower --count or widen the prefix"));
    }
  }
  if (spec.count && *spec.count > kMaxEndpoints) {
    errors.push_back(invalid("count " + std::to_string(*spec.count) + " exceeds the limit of " +
                             std::to_string(kMaxEndpoints)));
  }
  const std::uint64_t wanted = spec.count.value_or(fits);
  if (spec.mode == AddressMode::secondary && wanted > kMaxSecondaryEndpoints) {
    errors.push_back(invalid(
        "mode secondary with " + std::to_string(wanted) + " endpoints: the limit is " +
            std::to_string(kMaxSecondaryEndpoints) + ", which alone take the kernel minutes",
        "use --mode anyip, whose cost does not grow with the count"));
  }
  if (spec.isolation == Isolation::container && wanted < 2) {
    errors.push_back(
        invalid("isolation container needs two addresses or more: the first is the router's"));
  }
}

/// Without a bridge there is nobody to keep jobs apart, and no port for a container's own veth.
void check_attachment(const PoolSpec& spec, std::vector<Error>& errors) {
  if (spec.attachment != Attachment::direct || spec.isolation == Isolation::tenant) return;
  errors.push_back(invalid("attachment direct does not go with isolation " +
                               std::string(to_string(spec.isolation)) +
                               ", which needs the tenant's bridge",
                           "use --attach veth, or --isolation tenant"));
}

bool owns(const PoolSpec& spec, const IpAddress& address) {
  return std::any_of(spec.blocks.begin(), spec.blocks.end(), [&](const AddressBlock& block) {
    if (block.prefix.family() != address.family()) return false;
    const std::uint64_t count = spec.count.value_or(block_capacity(block));
    const auto endpoints = make_endpoint_block(block, std::min(count, block_capacity(block)));
    return endpoints.endpoints.contains(address);
  });
}

void check_gateway(const PoolSpec& spec, std::vector<Error>& errors) {
  if (spec.egress == Egress::none && spec.published.empty()) return;
  if (spec.attachment == Attachment::direct) {
    errors.push_back(
        invalid("egress and published ports need attachment veth: the gateway is in "
                "the tenant's VTEP namespace, which attachment direct does without"));
  }
  if (spec.isolation == Isolation::container) {
    errors.push_back(
        invalid("egress and published ports do not go with isolation container, whose pool is a "
                "router itself",
                "use isolation tenant or job"));
  }
  for (std::size_t i = 0; i < spec.published.size(); ++i) {
    const PublishedPort& port = spec.published[i];
    if (!owns(spec, port.endpoint)) {
      errors.push_back(invalid("published port " + port.to_string() + ": " +
                               port.endpoint.to_string() + " is no endpoint of the pool"));
    }
    for (std::size_t k = 0; k < i; ++k) {
      const PublishedPort& other = spec.published[k];
      if (other.node_port == port.node_port && other.protocol == port.protocol) {
        errors.push_back(invalid("port " + std::to_string(port.node_port) + "/" +
                                 std::string(to_string(port.protocol)) + " is published twice"));
      }
    }
  }
}

}  // namespace

std::string_view to_string(AddressMode mode) noexcept {
  switch (mode) {
    case AddressMode::automatic:
      return "auto";
    case AddressMode::secondary:
      return "secondary";
    case AddressMode::anyip:
      return "anyip";
  }
  return "?";
}

std::string_view to_string(Isolation isolation) noexcept {
  switch (isolation) {
    case Isolation::tenant:
      return "tenant";
    case Isolation::job:
      return "job";
    case Isolation::container:
      return "container";
  }
  return "?";
}

std::string_view to_string(Attachment attachment) noexcept {
  return attachment == Attachment::direct ? "direct" : "veth";
}

std::string_view to_string(PoolHealth health) noexcept {
  switch (health) {
    case PoolHealth::ready:
      return "ready";
    case PoolHealth::damaged:
      return "damaged";
    case PoolHealth::partial:
      return "partial";
  }
  return "?";
}

Result<AddressMode> parse_address_mode(std::string_view text) {
  for (auto mode : {AddressMode::automatic, AddressMode::secondary, AddressMode::anyip}) {
    if (text == to_string(mode)) return mode;
  }
  return fail(invalid("mode \"" + std::string(text) + "\" is not one of auto, secondary, anyip"));
}

Result<Isolation> parse_isolation(std::string_view text) {
  for (auto isolation : {Isolation::tenant, Isolation::job, Isolation::container}) {
    if (text == to_string(isolation)) return isolation;
  }
  return fail(
      invalid("isolation \"" + std::string(text) + "\" is not one of tenant, job, container"));
}

Result<Attachment> parse_attachment(std::string_view text) {
  for (auto attachment : {Attachment::veth, Attachment::direct}) {
    if (text == to_string(attachment)) return attachment;
  }
  return fail(invalid("attachment \"" + std::string(text) + "\" is not one of veth, direct"));
}

std::string Endpoint::to_string() const {
  if (v4 && v6) return v4->to_string() + "," + v6->to_string();
  if (v4) return v4->to_string();
  return v6 ? v6->to_string() : std::string{};
}

Result<void> check_name(std::string_view what, std::string_view name, std::size_t max_length) {
  const std::string shown = std::string(what) + " \"" + std::string(name) + "\"";
  if (name.empty()) return fail(invalid(std::string(what) + " is empty"));
  if (name.size() > max_length) {
    return fail(invalid(shown + " is longer than " + std::to_string(max_length) + " characters"));
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (is_name_character(name[i], i == 0)) continue;
    return fail(invalid(
        shown + " has a character that names may not have at position " + std::to_string(i + 1),
        "names are letters, digits, '_', '.' and '-', and begin with a letter or digit"));
  }
  return {};
}

std::vector<Error> check(const PoolSpec& spec) {
  std::vector<Error> errors;
  if (auto ok = check_name("pool name", spec.name); !ok) errors.push_back(ok.error());
  if (auto ok = check_name("tenant", spec.tenant); !ok) errors.push_back(ok.error());
  if (spec.vni.value() == 0) errors.push_back(invalid("VNI is missing: it must be 1..16777215"));
  const std::size_t before_blocks = errors.size();
  if (spec.blocks.empty())
    errors.push_back(invalid("no prefix: a pool needs an IPv4 prefix, an IPv6 prefix or both"));
  const bool twice =
      spec.blocks.size() == 2 && spec.blocks[0].prefix.family() == spec.blocks[1].prefix.family();
  if (spec.blocks.size() > 2 || twice)
    errors.push_back(invalid("more than one prefix of a family"));
  for (const auto& block : spec.blocks) check_block(block, errors);
  if (errors.size() == before_blocks) check_count(spec, errors);
  check_attachment(spec, errors);
  check_gateway(spec, errors);
  const bool v6 =
      std::any_of(spec.blocks.begin(), spec.blocks.end(),
                  [](const AddressBlock& block) { return block.prefix.family() == Family::v6; });
  if (spec.mtu && v6 && spec.mtu->value() < Mtu::kMinIpv6) {
    errors.push_back(
        invalid("MTU " + std::to_string(spec.mtu->value()) + " is below 1280, which IPv6 needs"));
  }
  if (spec.underlay.device && spec.underlay.address) {
    errors.push_back(
        invalid("both an underlay device and an underlay address are given", "give one of them"));
  }
  if (spec.underlay.device) {
    if (auto ok = check_device_name(*spec.underlay.device); !ok) errors.push_back(ok.error());
  }
  if (spec.cooldown.count() < 0) errors.push_back(invalid("the cool-down is negative"));
  return errors;
}

std::vector<Error> check(const Peer& peer) {
  std::vector<Error> errors;
  if (auto ok = check_name("tenant", peer.tenant); !ok) errors.push_back(ok.error());
  if (peer.vtep.is_unspecified() || peer.vtep.is_multicast()) {
    errors.push_back(
        invalid("VTEP address " + peer.vtep.to_string() + " is not a unicast address"));
  }
  if (peer.mac == Mac{} || peer.mac.is_multicast()) {
    errors.push_back(invalid("MAC " + peer.mac.to_string() + " is not a unicast address"));
  }
  if (!peer.owner.empty()) {
    if (auto ok = check_name("owner", peer.owner); !ok) errors.push_back(ok.error());
  }
  if (peer.prefixes.empty()) errors.push_back(invalid("the peer has no prefix"));
  for (const auto& prefix : peer.prefixes) {
    if (prefix.length() == 0 || prefix.network().is_multicast() || prefix.network().is_loopback()) {
      errors.push_back(invalid("prefix " + prefix.to_string() + " cannot be routed to a peer"));
    }
  }
  return errors;
}

}  // namespace particle
