// SPDX-License-Identifier: Apache-2.0
#include "pool/resolve.hpp"

#include <algorithm>

#include "pool/planner.hpp"

namespace particle {
namespace {

std::uint64_t resolve_capacity(const PoolSpec& spec) {
  std::uint64_t capacity = kMaxEndpoints;
  for (const auto& block : spec.blocks) capacity = std::min(capacity, block_capacity(block));
  return std::min(capacity, spec.count.value_or(capacity));
}

void resolve_mode(const PoolSpec& spec, PoolRecord& record) {
  if (spec.isolation == Isolation::container) {
    record.mode = AddressMode::secondary;
    record.mode_reason =
        "isolation container: each lease has its address in a namespace of its own";
    return;
  }
  if (spec.mode != AddressMode::automatic) {
    record.mode = spec.mode;
    record.mode_reason = "asked for";
    return;
  }
  const std::string limit = std::to_string(kAutomaticSecondaryLimit);
  const bool few = record.capacity <= kAutomaticSecondaryLimit;
  record.mode = few ? AddressMode::secondary : AddressMode::anyip;
  record.mode_reason =
      few ? "auto: up to " + limit + " endpoints are cheap as addresses, which every tool shows"
          : "auto: above " + limit +
                " endpoints one local route is faster and takes constant memory";
}

Mac resolve_mac(const PoolSpec& spec, const TenantRecord& tenant,
                const std::vector<PoolRecord>& siblings) {
  const std::string seed = "particle/pool/" + spec.tenant + "/" + tenant.vtep.to_string();
  const Mac shared = Mac::derive(seed);
  const bool taken = std::any_of(siblings.begin(), siblings.end(),
                                 [&](const PoolRecord& s) { return s.mac == shared; });
  // One MAC per (tenant, node); pools beside the first need one of their own on the same bridge.
  return taken || spec.isolation == Isolation::job ? Mac::derive(seed + "/" + spec.name) : shared;
}

std::string describe(const std::vector<EndpointBlock>& blocks) {
  std::string text;
  for (const auto& block : blocks) {
    text += (text.empty() ? "" : " ") + block.asked.prefix.to_string();
    if (block.asked.range) text += " range " + block.asked.range->to_string();
  }
  return text;
}

std::string describe(const std::vector<PublishedPort>& ports) {
  std::string text;
  for (const auto& port : ports) text += (text.empty() ? "" : " ") + port.to_string();
  return text.empty() ? "none" : text;
}

std::string ask(const Underlay& underlay) {
  if (underlay.device) return *underlay.device;
  return underlay.address ? underlay.address->to_string() : std::string{};
}

Error overlap(const PoolRecord& want, const IpPrefix& mine, const std::string& other,
              const IpPrefix& theirs) {
  return Error::of(
      Errc::conflict,
      "pool " + want.name + ": " + mine.to_string() + " overlaps " + theirs.to_string() + " of " +
          other + " of the same tenant",
      "give each pool of tenant " + want.tenant + " addresses of its own (--prefix or --range)");
}

}  // namespace

TenantRecord make_tenant_record(const PoolSpec& spec, const UnderlayFacts& underlay) {
  return {
      .tenant = spec.tenant,
      .vni = spec.vni,
      .vtep = underlay.address,
      .underlay_device = underlay.device,
      .bound_device = underlay.bound,
      .mtu = underlay.pool_mtu,
      .direct = spec.attachment == Attachment::direct ? std::optional(spec.name) : std::nullopt};
}

PoolRecord resolve_addressing(const PoolSpec& spec) {
  PoolRecord record;
  record.name = spec.name;
  record.tenant = spec.tenant;
  record.vni = spec.vni;
  record.capacity = resolve_capacity(spec);
  record.count_given = spec.count.has_value();
  for (const auto& asked : spec.blocks)
    record.blocks.push_back(make_endpoint_block(asked, record.capacity));
  std::sort(record.blocks.begin(), record.blocks.end(),
            [](const EndpointBlock& a, const EndpointBlock& b) {
              return a.primary().family() < b.primary().family();
            });
  resolve_mode(spec, record);
  record.isolation = spec.isolation;
  record.attachment = spec.attachment;
  record.egress = spec.egress;
  record.published = spec.published;
  record.cooldown = spec.cooldown;
  return record;
}

Result<PoolRecord> resolve(const PoolSpec& spec, const TenantRecord& tenant,
                           const std::vector<PoolRecord>& siblings, std::uint64_t random) {
  PoolRecord record = resolve_addressing(spec);
  record.id = random;
  record.mac = resolve_mac(spec, tenant, siblings);
  record.mtu = spec.mtu.value_or(tenant.mtu);
  if (spec.attachment == Attachment::veth) {
    const PortIdentity port = make_port_identity(spec.name, random);
    record.port = port.name;
    record.port_index = port.index;
  }
  const std::string carries = std::to_string(tenant.mtu.value()) + " bytes, what underlay " +
                              tenant.underlay_device + " carries inside VXLAN";
  if (record.mtu > tenant.mtu) {
    return fail(Error::of(Errc::invalid_argument,
                          "MTU " + std::to_string(record.mtu.value()) + " exceeds " + carries,
                          "lower --mtu or raise the MTU of " + tenant.underlay_device));
  }
  if (record.block(Family::v6) != nullptr && record.mtu.value() < Mtu::kMinIpv6) {
    return fail(Error::of(Errc::invalid_argument,
                          "IPv6 needs an MTU of 1280; the pool would have " + carries,
                          "raise the MTU of " + tenant.underlay_device + ", or use IPv4 only"));
  }
  return record;
}

std::vector<std::string> differences(const PoolRecord& have, const PoolRecord& want,
                                     const PoolSpec& asked) {
  std::vector<std::string> lines;
  const auto compare = [&](const char* field, const std::string& has, const std::string& wants) {
    if (has != wants) lines.push_back(std::string(field) + ": has " + has + ", asked for " + wants);
  };
  compare("tenant", have.tenant, want.tenant);
  compare("VNI", std::to_string(have.vni.value()), std::to_string(want.vni.value()));
  compare("addresses", describe(have.blocks), describe(want.blocks));
  compare("count", std::to_string(have.capacity), std::to_string(want.capacity));
  if (asked.mode != AddressMode::automatic) {
    compare("mode", std::string(to_string(have.mode)), std::string(to_string(want.mode)));
  }
  compare("isolation", std::string(to_string(have.isolation)),
          std::string(to_string(want.isolation)));
  compare("attachment", std::string(to_string(have.attachment)),
          std::string(to_string(want.attachment)));
  compare("egress", std::string(to_string(have.egress)), std::string(to_string(want.egress)));
  compare("published ports", describe(have.published), describe(want.published));
  if (asked.mtu) compare("MTU", std::to_string(have.mtu.value()), std::to_string(want.mtu.value()));
  compare("cool-down", std::to_string(have.cooldown.count()) + " ms",
          std::to_string(want.cooldown.count()) + " ms");
  return lines;
}

Result<void> check_overlap(const PoolRecord& want, const std::vector<PoolRecord>& siblings,
                           const std::vector<Peer>& peers) {
  for (const auto& mine : want.owned()) {
    for (const auto& sibling : siblings) {
      for (const auto& theirs : sibling.owned()) {
        if (mine.overlaps(theirs)) return fail(overlap(want, mine, "pool " + sibling.name, theirs));
      }
    }
    for (const auto& peer : peers) {
      for (const auto& theirs : peer.prefixes) {
        if (mine.overlaps(theirs))
          return fail(overlap(want, mine, "peer " + peer.vtep.to_string(), theirs));
      }
    }
  }
  return {};
}

namespace {

/// With attachment direct the tenant's vxlan device is in the pool: there is room for one.
Result<void> check_attachment(const PoolSpec& spec, const TenantRecord& tenant) {
  const bool direct = spec.attachment == Attachment::direct;
  const std::string stale = "; if nothing is there, `particle gc`";
  if (tenant.direct && *tenant.direct != spec.name) {
    return fail(
        Error::of(Errc::conflict,
                  "tenant " + spec.tenant + " has pool " + *tenant.direct +
                      " with attachment direct on this node, which leaves no room for another pool",
                  "grow it (resize-pool), or delete it and give both --attach veth" + stale));
  }
  if (tenant.direct.has_value() == direct) return {};
  return fail(Error::of(
      Errc::conflict,
      direct ? "tenant " + spec.tenant +
                   " has a pool with attachment veth on this node: attachment direct needs the "
                   "tenant's VXLAN for one pool alone"
             : "pool " + spec.name + " exists with attachment direct, asked for veth",
      direct ? "use --attach veth, or delete the tenant's pools first" + stale
             : "delete the pool first, or use --attach direct" + stale));
}

}  // namespace

Result<void> check_tenant(const PoolSpec& spec, const TenantRecord& tenant) {
  if (tenant.vni != spec.vni) {
    return fail(
        Error::of(Errc::conflict,
                  "tenant " + spec.tenant + " has VNI " + std::to_string(tenant.vni.value()) +
                      " on this node, asked for " + std::to_string(spec.vni.value()),
                  "use --vni " + std::to_string(tenant.vni.value()) + ", or another tenant"));
  }
  if (auto ok = check_attachment(spec, tenant); !ok) return ok;
  const bool other_device =
      spec.underlay.device &&
      (*spec.underlay.device != tenant.underlay_device || !tenant.bound_device);
  const bool other_address =
      spec.underlay.address && (*spec.underlay.address != tenant.vtep || tenant.bound_device);
  if (other_device || other_address) {
    return fail(Error::of(Errc::conflict,
                          "tenant " + spec.tenant + "'s VTEP uses " + tenant.vtep.to_string() +
                              " on " + tenant.underlay_device +
                              (tenant.bound_device ? " (bound to it)" : "") + ", asked for " +
                              ask(spec.underlay),
                          "leave the underlay out, or delete the tenant's pools first"));
  }
  return {};
}

}  // namespace particle
