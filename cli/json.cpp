// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <ctime>

#include "exit_codes.hpp"
#include "steps.hpp"

namespace particle::cli {
namespace {

template <class T>
Json text_or_null(const std::optional<T>& value) {
  return value ? Json(value->to_string()) : Json(nullptr);
}

Json texts(const std::vector<IpPrefix>& prefixes) {
  Json out = Json::array();
  for (const IpPrefix& prefix : prefixes) {
    out.push_back(prefix.to_string());
  }
  return out;
}

Json blocks_to_json(const std::vector<AddressBlock>& blocks) {
  Json out = Json::array();
  for (const AddressBlock& block : blocks) {
    out.push_back({{"prefix", block.prefix.to_string()}, {"range", text_or_null(block.range)}});
  }
  return out;
}

Json ports_to_json(const std::vector<PublishedPort>& ports) {
  Json out = Json::array();
  for (const PublishedPort& port : ports) {
    out.push_back(port.to_string());
  }
  return out;
}

/// RFC 3339 in UTC, with milliseconds.
std::string rfc3339(std::chrono::system_clock::time_point when) {
  const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(when.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t time = seconds.count();
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  char out[48];
  std::snprintf(out, sizeof out, "%s.%03dZ", date,
                static_cast<int>((since_epoch - seconds).count()));
  return out;
}

}  // namespace

Json pool_to_json(const PoolInfo& pool) {
  const std::uint64_t used = pool.leased + pool.cooling;
  return {
      {"name", pool.name},
      {"tenant", pool.tenant},
      {"vni", pool.vni.value()},
      {"mode", to_string(pool.mode)},
      {"mode_reason", pool.mode_reason},
      {"isolation", to_string(pool.isolation)},
      {"attachment", to_string(pool.attachment)},
      {"egress", to_string(pool.egress)},
      {"published", ports_to_json(pool.published)},
      {"blocks", blocks_to_json(pool.blocks)},
      {"prefixes", texts(pool.routes)},
      {"primary", {{"v4", text_or_null(pool.primary_v4)}, {"v6", text_or_null(pool.primary_v6)}}},
      {"capacity", pool.capacity},
      {"leased", pool.leased},
      {"cooling", pool.cooling},
      {"free", pool.capacity > used ? pool.capacity - used : 0},
      {"cooldown_ms", pool.cooldown.count()},
      {"mac", pool.mac.to_string()},
      {"mtu", pool.mtu.value()},
      {"vtep", pool.vtep.to_string()},
      {"underlay_device", pool.underlay_device},
      {"device", pool.device},
      {"netns_path", pool.netns_path},
      {"netns_inode", pool.netns_inode},
      {"vtep_path", pool.vtep_path},
      {"bridge", pool.bridge},
      {"vxlan", pool.vxlan},
      {"port", pool.port},
      {"health", to_string(pool.health)},
      {"problems", pool.problems},
  };
}

Json lease_to_json(const Lease& lease) {
  return {
      {"pool", lease.pool},
      {"holder", lease.holder},
      {"index", lease.endpoint.index},
      {"v4", text_or_null(lease.endpoint.v4)},
      {"v6", text_or_null(lease.endpoint.v6)},
      {"since", rfc3339(lease.since)},
      {"pid", lease.process ? Json(*lease.process) : Json(nullptr)},
      {"netns_path", lease.netns_path},
  };
}

Json leases_to_json(const std::vector<Lease>& leases) {
  Json out = Json::array();
  for (const Lease& lease : leases) {
    out.push_back(lease_to_json(lease));
  }
  return out;
}

Json peer_to_json(const Peer& peer) {
  return {
      {"tenant", peer.tenant},
      {"vtep", peer.vtep.to_string()},
      {"mac", peer.mac.to_string()},
      {"prefixes", texts(peer.prefixes)},
  };
}

Json peer_to_json(const PeerInfo& info) {
  Json out = peer_to_json(info.peer);
  out["owner"] = info.peer.owner;
  out["programmed"] = info.programmed;
  out["problems"] = info.problems;
  return out;
}

Json plan_to_json(const Plan& plan) {
  Json steps = Json::array();
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    steps.push_back({{"number", i + 1},
                     {"name", step.name},
                     {"stage", to_string(step.stage)},
                     {"what", step.what}});
  }
  return steps;
}

Json timings_to_json(const Outcome& outcome) {
  Json steps = Json::array();
  for (std::size_t i = 0; i < outcome.steps.size(); ++i) {
    const StepTime& step = outcome.steps[i];
    steps.push_back({{"number", i + 1},
                     {"name", step.name},
                     {"stage", to_string(step.stage)},
                     {"what", step.what},
                     {"ms", to_ms(step.took)}});
  }
  Json not_needed = Json::object();
  if (makes_a_pool(outcome)) {
    not_needed = {{"S3", kBornInPlace}, {"S4", kBornInPlace}};
  }
  return {{"steps", steps}, {"not_needed", not_needed}, {"total_ms", to_ms(outcome.total)}};
}

Json finding_to_json(const GcFinding& finding) {
  return {{"action", to_string(finding.action)},
          {"object", finding.object},
          {"reason", finding.reason}};
}

Json error_to_json(const Error& error, int exit_code) {
  const bool from_kernel = error.code.category() == std::generic_category() ||
                           error.code.category() == std::system_category();
  return {
      {"kind", name_of(error.kind())},
      {"message", error.message()},
      {"operation", error.operation},
      {"errno", from_kernel ? Json(error.code.value()) : Json(nullptr)},
      {"kernel_message", error.kernel_message},
      {"hint", error.hint},
      {"details", error.details},
      {"exit_code", exit_code},
  };
}

}  // namespace particle::cli
