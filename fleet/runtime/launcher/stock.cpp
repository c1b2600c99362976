// SPDX-License-Identifier: Apache-2.0
#include "launcher/stock.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <particle_bind/sockets.hpp>

namespace particle::fleet {
namespace {

bool is_at(const Lease& lease, const IpAddress& address) {
  return lease.endpoint.v4 == address || lease.endpoint.v6 == address;
}

bool is_shortage(const Error& error) {
  return error.kind() == Errc::busy || error.kind() == Errc::exhausted;
}

}  // namespace

Result<std::vector<Lease>> Stock::lease(std::uint64_t count) {
  LeaseRequest request;
  request.pool = pool_;
  request.holder = holder_;
  request.count = count;
  request.process = process_;
  return node_.lease(request);
}

void Stock::put_back(Lease lease, bool used) {
  if (used) used_.push_back(lease.endpoint);
  free_.push_back(std::move(lease));
}

/// Connections that wait for their peers outlive their processes, and would keep the endpoint's ports
/// from its next holder. Where they cannot be ended it gets the endpoint all the same.
void Stock::end_sockets() {
  if (used_.empty()) return;
  const std::vector<Endpoint> used = std::exchange(used_, {});
  const Result<NetNs> netns = node_.open_pool_netns(pool_);
  if (netns) static_cast<void>(bind::end_sockets(*netns, used));
}

Result<std::vector<Lease>> Stock::take(std::uint64_t most) {
  if (most > 0) end_sockets();
  std::vector<Lease> taken;
  const std::uint64_t own = std::min<std::uint64_t>(most, free_.size());
  std::move(free_.end() - static_cast<std::ptrdiff_t>(own), free_.end(), std::back_inserter(taken));
  free_.resize(free_.size() - own);
  if (taken.size() == most) return taken;
  const Result<PoolInfo> pool = node_.find_pool(pool_);
  if (!pool) return fail(pool.error());
  const Result<std::uint64_t> leased = node_.count_leases(pool_);
  if (!leased) return fail(leased.error());
  // A lease is all or nothing; some of those that nobody holds may rest, or be gone by now.
  std::uint64_t count =
      std::min(most - taken.size(), pool->capacity - std::min(pool->capacity, *leased));
  for (; count > 0; count /= 2) {
    Result<std::vector<Lease>> more = lease(count);
    if (more) {
      std::move(more->begin(), more->end(), std::back_inserter(taken));
      break;
    }
    if (!is_shortage(more.error())) return fail(more.error());
  }
  return taken;
}

Result<std::optional<Lease>> Stock::take_address(const IpAddress& address) {
  end_sockets();
  const auto own = std::find_if(free_.begin(), free_.end(),
                                [&](const Lease& lease) { return is_at(lease, address); });
  if (own != free_.end()) {
    Lease lease = std::move(*own);
    free_.erase(own);
    return lease;
  }
  // What this holder has already would be returned again.
  const Result<std::vector<Lease>> held = node_.leases(pool_, holder_);
  if (!held) return fail(held.error());
  if (std::any_of(held->begin(), held->end(),
                  [&](const Lease& lease) { return is_at(lease, address); })) {
    return std::optional<Lease>{};
  }
  LeaseRequest request;
  request.pool = pool_;
  request.holder = holder_;
  request.address = address;
  request.process = process_;
  Result<std::vector<Lease>> leases = node_.lease(request);
  if (leases) return std::optional<Lease>(std::move(leases->front()));
  if (is_shortage(leases.error())) return std::optional<Lease>{};
  return fail(leases.error());
}

Result<void> Stock::release_free() {
  end_sockets();
  for (const Lease& lease : free_) {
    const auto address = lease.endpoint.v4 ? lease.endpoint.v4 : lease.endpoint.v6;
    if (auto done = node_.release(pool_, holder_, address); !done) return fail(done.error());
  }
  free_.clear();
  return {};
}

Result<void> Stock::release_all() {
  end_sockets();
  free_.clear();
  const auto done = node_.release(pool_, holder_);
  return done ? Result<void>{} : fail(done.error());
}

}  // namespace particle::fleet
