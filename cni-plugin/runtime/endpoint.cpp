// SPDX-License-Identifier: Apache-2.0
#include "endpoint.hpp"

#include <chrono>

#include <particle_bind/sockets.hpp>

#include "attachment.hpp"

namespace particle::runtime {
namespace {

constexpr std::chrono::milliseconds kWaitMargin{100};

HeldEndpoint held(const Lease& lease) {
  return {.pool = lease.pool,
          .holder = lease.holder,
          .endpoint = lease.endpoint,
          .netns_path = lease.netns_path,
          .in_place = false,
          .enforce = ""};
}

/// The first attempt does not need to know how long endpoints cool down, and mostly suffices.
Result<std::vector<Lease>> take(const Node& node, LeaseRequest request) {
  auto leases = node.lease(request);
  if (leases || leases.error().kind() != Errc::busy) return leases;
  const auto pools = node.list_pools();
  if (!pools) return leases;
  for (const PoolInfo& pool : *pools) {
    if (pool.name == request.pool) request.wait = pool.cooldown + kWaitMargin;
  }
  return request.wait.count() > 0 ? node.lease(request) : leases;
}

/// The runtime opens the namespace by its path, in the mount namespace that we are in.
Result<void> check_visible(const Lease& lease) {
  auto netns = NetNs::open_path(lease.netns_path);
  if (netns) return {};
  netns.error().hint =
      "the engine's mount namespace must show the run directory's mounts; with systemd, "
      "MountFlags=shared or no private mounts for its service";
  return fail(std::move(netns.error()));
}

/// What the container gave away, or what still waits for a peer. A kernel that cannot end sockets is no
/// reason to keep the lease.
void end_sockets_of(const Lease& lease) {
  const auto netns = NetNs::open_path(lease.netns_path);
  if (netns) static_cast<void>(bind::end_sockets(*netns, lease.endpoint));
}

}  // namespace

Environment environment_of(const HeldEndpoint& held) {
  const auto text = [](const std::optional<IpAddress>& address) {
    return address ? std::optional(address->to_string()) : std::nullopt;
  };
  const Endpoint& endpoint = held.endpoint;
  return {{"PARTICLE_POOL", held.pool},
          {"PARTICLE_IP", text(endpoint.v4 ? endpoint.v4 : endpoint.v6)},
          {"PARTICLE_IP6", text(endpoint.v6)}};
}

Result<HeldEndpoint> lease_endpoint(const Node& node, const std::string& pool,
                                    const std::string& holder,
                                    const std::optional<std::string>& ip) {
  LeaseRequest request;
  request.pool = pool;
  request.holder = holder;
  if (ip) {
    auto address = IpAddress::parse(*ip);
    if (!address) return fail(std::move(address.error()));
    request.address = *address;
  }
  if (auto ok = check_name("pool name", pool); !ok) return fail(std::move(ok.error()));
  if (auto old = release_all(node, holder); !old) return fail(std::move(old.error()));
  const auto leases = take(node, request);
  if (!leases) return fail(leases.error());
  if (auto ok = check_visible(leases->front()); !ok) {
    static_cast<void>(release_all(node, holder));
    return fail(std::move(ok.error()));
  }
  return held(leases->front());
}

Result<std::optional<HeldEndpoint>> held_by(const Node& node, const std::string& holder) {
  const auto leases = node.leases({}, holder);
  if (!leases) return fail(leases.error());
  if (leases->empty()) return std::optional<HeldEndpoint>{};
  return std::optional<HeldEndpoint>(held(leases->front()));
}

Result<std::optional<HeldEndpoint>> attached_by_cni(const Node& node, const std::string& id) {
  std::optional<HeldEndpoint> found;
  // Not every container's id could be one of CNI's.
  if (!check_name("container id", id, 255)) return found;
  const auto attachments = cni::AttachmentStore::of(node).of_container(id);
  if (!attachments) return fail(attachments.error());
  for (const cni::FoundAttachment& one : *attachments) {
    if (!one.attachment) return fail(one.attachment.error());
    const cni::Attachment& attachment = *one.attachment;
    const auto holder = attachment.key.holder();
    if (!attachment.complete || !holder) continue;
    const bool in_place = attachment.attach != cni::Attach::runtime;
    if (found && in_place) continue;
    found = HeldEndpoint{.pool = attachment.pool,
                         .holder = *holder,
                         .endpoint = {.index = 0, .v4 = attachment.v4, .v6 = attachment.v6},
                         .netns_path = attachment.netns_path,
                         .in_place = in_place,
                         .enforce = attachment.enforce};
    if (!in_place) break;
  }
  if (!found || found->in_place) return found;
  // The record has the addresses, the lease their number in the pool as well.
  const auto leases = node.leases(found->pool, found->holder);
  if (!leases) return fail(leases.error());
  if (!leases->empty()) found->endpoint = leases->front().endpoint;
  return found;
}

Result<void> release_all(const Node& node, const std::string& holder) {
  const auto leases = node.leases({}, holder);
  if (!leases) return fail(leases.error());
  for (const Lease& lease : *leases) {
    end_sockets_of(lease);
    const auto released = node.release(lease.pool, holder);
    // A pool that was deleted under its containers took the leases with it.
    if (!released && released.error().kind() != Errc::not_found) return fail(released.error());
  }
  return {};
}

}  // namespace particle::runtime
