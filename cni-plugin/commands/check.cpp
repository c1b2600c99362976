// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "commands/commands.hpp"
#include "guest.hpp"
#include "result.hpp"

namespace particle::cni {
namespace {

tl::unexpected<CniError> missing(std::string what) {
  return refuse(Code::not_as_added, std::move(what), "DEL and ADD make it anew");
}

bool lists(const PreviousResult& previous, const IpAddress& address) {
  return std::any_of(previous.ips.begin(), previous.ips.end(),
                     [&](const auto& ip) { return ip.address == address; });
}

/// Later plugins may have added to the result; ours must still be in it.
Answer<void> check_result(const Call& call, const Attachment& record) {
  auto previous = parse_previous(call.conf.prev_result);
  if (!previous) return refuse(std::move(previous.error()));
  const auto& interfaces = previous->interfaces;
  const bool named = std::any_of(interfaces.begin(), interfaces.end(), [&](const auto& candidate) {
    return candidate.name == call.invocation.ifname && candidate.sandbox == call.invocation.netns;
  });
  if (!named)
    return missing("prevResult has no interface " + call.invocation.ifname + " in " +
                   call.invocation.netns);
  for (const auto& address : {record.v4, record.v6}) {
    if (address && !lists(*previous, *address))
      return missing("prevResult does not have the address " + address->to_string());
  }
  return {};
}

Answer<void> check_lease(const Call& call, const Attachment& record) {
  const auto leases = call.node.leases(record.pool, record.key.holder().value_or(std::string("-")));
  if (!leases) return refuse(translate(leases.error(), "CHECK"));
  const bool held = std::any_of(leases->begin(), leases->end(), [&](const Lease& lease) {
    return lease.endpoint.v4 == record.v4 && lease.endpoint.v6 == record.v6;
  });
  if (!held) return missing("the lease of pool " + record.pool + " is gone");
  return {};
}

Answer<void> check_pool(const Call& call, const Attachment& record) {
  const auto pool = call.node.inspect_pool(record.pool);
  if (!pool) return refuse(translate(pool.error(), "CHECK"));
  if (pool->health == PoolHealth::ready) return {};
  std::string problems;
  for (const auto& line : pool->problems) problems += (problems.empty() ? "" : "; ") + line;
  return refuse(
      Code::not_as_added,
      "pool " + record.pool + " is " + std::string(to_string(pool->health)) + ": " + problems,
      "`particle gc` repairs it");
}

/// Address and device where the container looks for them.
Answer<void> check_device(const Call& call, const Attachment& record) {
  auto guest = open_guest(call.invocation.netns);
  if (!guest) return refuse(std::move(guest.error()));
  if (record.attach != Attach::veth) return {};
  auto device = look_at_device(*guest, call.invocation.ifname);
  if (!device) return refuse(std::move(device.error()));
  if (!device->exists) return missing("device " + call.invocation.ifname + " is gone");
  if (!device->up) return missing("device " + call.invocation.ifname + " is down");
  for (const auto& address : {record.v4, record.v6}) {
    const auto& have = device->addresses;
    if (address && std::find(have.begin(), have.end(), *address) == have.end())
      return missing("address " + address->to_string() + " is gone from " + call.invocation.ifname);
  }
  return {};
}

}  // namespace

Answer<std::string> check(const Call& call) {
  if (call.conf.prev_result.empty())
    return refuse(Code::invalid_config, "CHECK: \"prevResult\" is missing");
  auto found = call.store.find(call.key());
  if (!found) {
    const bool later = found.error().kind() == Errc::unsupported;
    CniError error = translate(found.error(), "CHECK");
    if (later) error.code = Code::later_state;
    return refuse(std::move(error));
  }
  if (!*found || !(*found)->complete)
    return refuse(Code::unknown_container, "CHECK: " + call.invocation.container + " " +
                                               call.invocation.ifname +
                                               " is not attached to network " + call.conf.name);
  const Attachment& record = **found;
  for (const auto part : {&check_result, &check_lease, &check_pool, &check_device}) {
    if (auto fine = part(call, record); !fine) return refuse(std::move(fine.error()));
  }
  return std::string();
}

}  // namespace particle::cni
