// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "commands/commands.hpp"
#include "detach.hpp"
#include "guest.hpp"
#include "pool_keeper.hpp"
#include "result.hpp"

namespace particle::cni {
namespace {

/// How often a pool may be removed between our finding it and our lease before the runtime is asked
/// to try again.
constexpr int kAttempts = 20;
/// Longer than the cool-down: an ADD right after a DEL in a full pool waits instead of failing.
constexpr auto kCooldownPatience = std::chrono::milliseconds(1500);
/// The device that every pool has.
constexpr std::string_view kPoolDevice = "eth0";

std::string doing(const Call& call) {
  return "ADD of " + call.invocation.container + " to network " + call.conf.name;
}

/// The pool that the container gets its endpoint in.
const std::string& pool_of(const Call& call) {
  const auto& wished = call.conf.runtime.pod.pool;
  return wished ? *wished : call.conf.spec.name;
}

/// The addresses that were asked for, by the capability `ips`, by CNI_ARGS or by the pod: at most one a
/// family.
Answer<std::vector<IpAddress>> wanted_ips(const Call& call) {
  std::vector<IpAddress> ips = call.conf.runtime.ips;
  if (ips.empty()) ips = call.invocation.arguments.ips;
  if (ips.empty() && call.conf.runtime.pod.ip) ips.push_back(*call.conf.runtime.pod.ip);
  const auto is_v4 = [](const IpAddress& ip) { return ip.is_v4(); };
  const auto count = static_cast<std::size_t>(std::count_if(ips.begin(), ips.end(), is_v4));
  if (count > 1 || ips.size() - count > 1)
    return refuse(Code::invalid_config, doing(call) +
                                            ": an endpoint has one address of a family, " +
                                            std::to_string(ips.size()) + " were asked for");
  return ips;
}

Answer<void> check_interface(const Call& call, const NetNs& guest) {
  const std::string& name = call.invocation.ifname;
  if (call.conf.attach != Attach::veth && name != kPoolDevice)
    return refuse(Code::invalid_environment,
                  "CNI_IFNAME " + name + ": containers that share a pool's namespace have " +
                      std::string(kPoolDevice),
                  "use attach veth for further interfaces");
  auto taken = has_device(guest, name);
  if (!taken) return refuse(std::move(taken.error()));
  if (*taken)
    return refuse(Code::interface_taken,
                  "CNI_IFNAME " + name + " exists in " + call.invocation.netns + " already");
  return {};
}

/// What an ADD that was cut off left is given back; a whole attachment is in the way.
Answer<void> clear_the_way(const Call& call) {
  auto found = call.store.find(call.key());
  if (found && !*found) return {};
  if (found && (*found)->complete)
    return refuse(Code::interface_taken,
                  doing(call) + ": " + call.invocation.ifname + " is attached already",
                  "DEL comes before a second ADD");
  return detach(call, call.key(), pool_of(call));
}

Attachment begin_record(const Call& call) {
  Attachment record;
  record.key = call.key();
  record.pool = pool_of(call);
  record.run_dir = call.node.run_dir();
  record.attach = call.conf.attach;
  record.sandbox = call.invocation.netns;
  record.pod = call.invocation.arguments.pod;
  record.cgroup_path = call.conf.runtime.cgroup_path;
  record.enforce = call.conf.runtime.pod.enforce.value_or(call.conf.enforce);
  return record;
}

LeaseRequest make_request(const Call& call, const std::string& holder,
                          const std::vector<IpAddress>& ips) {
  LeaseRequest request;
  request.pool = pool_of(call);
  request.holder = holder;
  request.wait = kCooldownPatience;
  if (!ips.empty()) request.address = ips.front();
  if (call.conf.attach == Attach::veth)
    request.guest = Guest{call.invocation.netns, call.invocation.ifname, call.conf.runtime.mac};
  return request;
}

struct Lodging {
  PoolInfo pool;
  Lease lease;
};

std::string wish(const Call& call) {
  return "annotation io.particle.pool: " + pool_of(call);
}

/// Whether the pool is one that a pod's annotation may name. Pods may choose among their tenant's pools;
/// to make one takes a configuration.
Answer<void> check_wished(const Call& call, const PoolInfo& pool) {
  if (pool.tenant != call.conf.spec.tenant)
    return refuse(Code::invalid_config, wish(call) + " is not of tenant " + call.conf.spec.tenant,
                  "network " + call.conf.name + " is that tenant's");
  if (pool.isolation != call.conf.spec.isolation &&
      (pool.isolation == Isolation::container || call.conf.attach == Attach::veth))
    return refuse(Code::invalid_config,
                  wish(call) + " is of isolation " + std::string(to_string(pool.isolation)),
                  "attach veth needs isolation container, and the other way round");
  return {};
}

/// A lease in a pool that is there: one look at its record, and nothing is leased in the wrong one.
class Attempt {
 public:
  Attempt(const Call& call, LeaseRequest request, bool ensured) : call_(call), ensured_(ensured) {
    request.accept = [this](const PoolInfo& pool) { return accept(pool); };
    leases_ = call.node.lease(request, call.apply_options());
  }

  [[nodiscard]] const Result<std::vector<Lease>>& leases() const { return leases_; }
  /// It was not there, or only half, or went while this waited for an endpoint.
  [[nodiscard]] bool found_no_pool() const {
    const Errc kind = leases_.error().kind();
    if (kind == Errc::not_found && !pool_) return true;
    return (kind == Errc::not_found || kind == Errc::busy) && !call_.node.find_pool(pool_of(call_));
  }
  /// It may not be the configured one: only a create can tell.
  [[nodiscard]] bool doubts_pool() const { return pool_ && !accepted_ && !fault_; }
  [[nodiscard]] Lodging lodging() const { return {*pool_, leases_->front()}; }
  [[nodiscard]] CniError error() const {
    return fault_ ? *fault_ : translate(leases_.error(), doing(call_));
  }

 private:
  Result<void> accept(const PoolInfo& pool) {
    pool_ = pool;
    accepted_ = judge(pool);
    if (accepted_) return {};
    return fail(Error::of(Errc::conflict, doing(call_)));
  }
  bool judge(const PoolInfo& pool) {
    if (!call_.conf.runtime.pod.pool) return ensured_ || is_plainly_the_same(pool, call_.conf);
    auto fits = check_wished(call_, pool);
    if (!fits) fault_ = std::move(fits.error());
    return !fault_;
  }

  const Call& call_;
  bool ensured_;  ///< a create found this pool as configured, or made it
  bool accepted_ = false;
  std::optional<PoolInfo> pool_;
  std::optional<CniError> fault_;
  Result<std::vector<Lease>> leases_;
};

/// A lease in the configuration's pool, which is made when it is not there. A pool may go between
/// the two: the last DEL of a tenant removes it.
Answer<Lodging> take_lease(const Call& call, const LeaseRequest& request) {
  const bool wished = call.conf.runtime.pod.pool.has_value();
  bool ensured = false;
  CniError last{Code::try_again, doing(call) + ": pool " + request.pool + " comes and goes", {}};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Attempt tried(call, request, ensured);
    if (tried.leases()) return tried.lodging();
    last = tried.error();
    const bool absent = tried.found_no_pool();
    if (wished && tried.leases().error().kind() == Errc::not_found)
      return refuse(Code::invalid_config, wish(call) + ": there is no such pool on this node",
                    "`particle list-pools` shows those there are");
    if (wished || !(absent || tried.doubts_pool())) break;
    if (auto made = ensure_pool(call, !absent); !made) return refuse(std::move(made.error()));
    ensured = true;
  }
  return refuse(std::move(last));
}

Answer<void> check_addresses(const Call& call, const Endpoint& endpoint,
                             const std::vector<IpAddress>& ips) {
  for (const auto& ip : ips) {
    if (ip == endpoint.v4 || ip == endpoint.v6) continue;
    return refuse(
        Code::invalid_config,
        doing(call) + ": " + ip.to_string() + " is not of the endpoint " + endpoint.to_string(),
        "an endpoint's addresses have one number in both families");
  }
  return {};
}

std::vector<IpPrefix> prefixes_of(const PoolInfo& pool, const Endpoint& endpoint) {
  std::vector<IpPrefix> prefixes;
  for (const auto& block : pool.blocks) {
    const auto& address = block.prefix.family() == Family::v4 ? endpoint.v4 : endpoint.v6;
    if (address) prefixes.push_back(block.prefix);
  }
  return prefixes;
}

/// A container that had a default route keeps it: only the tenant's subnet is behind the router then.
bool routes_everything(const Call& call, const NetNs& guest, Family family) {
  return call.conf.attach != Attach::veth ||
         is_default_device(guest, call.invocation.ifname, family).value_or(true);
}

AddResult describe(const Call& call, const NetNs& guest, const Lodging& lodging) {
  const auto& [pool, lease] = lodging;
  AddResult result;
  result.ifname = call.invocation.ifname;
  result.mac = lease.mac;
  result.mtu = pool.mtu;
  result.sandbox = call.invocation.netns;
  result.dns = call.conf.runtime.dns.empty() ? call.conf.dns : call.conf.runtime.dns;
  const bool routed = pool.isolation == Isolation::container;
  for (const auto& prefix : prefixes_of(pool, lease.endpoint)) {
    const bool v4 = prefix.family() == Family::v4;
    const auto& router = v4 ? pool.primary_v4 : pool.primary_v6;
    AddResult::Ip ip{*(v4 ? lease.endpoint.v4 : lease.endpoint.v6), prefix.length(), std::nullopt};
    if (routed) {
      ip.gateway = router;
      const bool all = routes_everything(call, guest, prefix.family());
      result.routes.push_back({all ? IpPrefix::containing(ip.address, 0) : prefix, router});
    }
    result.ips.push_back(ip);
  }
  return result;
}

/// Everything after the record was begun; whatever fails here is undone by the caller.
Answer<std::string> attach(const Call& call, const NetNs& guest, Attachment record,
                           const LeaseRequest& request, const std::vector<IpAddress>& ips) {
  auto lodging = take_lease(call, request);
  if (!lodging) return refuse(std::move(lodging.error()));
  call.step("lease.taken");
  const Lease& lease = lodging->lease;
  if (auto fits = check_addresses(call, lease.endpoint, ips); !fits)
    return refuse(std::move(fits.error()));
  auto text = to_text(describe(call, guest, *lodging), call.conf.prev_result, call.conf.version);
  if (!text) return refuse(std::move(text.error()));
  record.complete = true;
  record.netns_path = lease.netns_path;
  record.v4 = lease.endpoint.v4;
  record.v6 = lease.endpoint.v6;
  record.prefixes = prefixes_of(lodging->pool, lease.endpoint);
  if (auto written = call.store.write(record); !written)
    return refuse(translate(written.error(), doing(call)));
  call.step("record.complete");
  return text;
}

}  // namespace

Answer<std::string> add(const Call& call) {
  auto ips = wanted_ips(call);
  if (!ips) return refuse(std::move(ips.error()));
  // The cheapest way to know that prevResult can be answered, before anything is changed.
  if (auto previous = parse_previous(call.conf.prev_result); !previous)
    return refuse(std::move(previous.error()));
  const auto holder = call.key().holder();
  if (!holder) return refuse(translate(holder.error(), doing(call)));
  auto guest = open_guest(call.invocation.netns);
  if (!guest) return refuse(std::move(guest.error()));
  if (auto free = check_interface(call, *guest); !free) return refuse(std::move(free.error()));
  if (auto clear = clear_the_way(call); !clear) return refuse(std::move(clear.error()));

  const Attachment record = begin_record(call);
  if (auto written = call.store.write(record); !written)
    return refuse(translate(written.error(), doing(call)));
  call.step("record.begin");
  auto answer = attach(call, *guest, record, make_request(call, *holder, *ips), *ips);
  if (answer) return answer;
  if (auto undone = detach(call, call.key(), pool_of(call)); !undone)
    answer.error().details +=
        (answer.error().details.empty() ? "" : "; ") + ("not undone: " + undone.error().message);
  return answer;
}

}  // namespace particle::cni
