// SPDX-License-Identifier: Apache-2.0
#include "pool_keeper.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <ctime>
#include <optional>

#include "files/dir_lock.hpp"
#include "files/files.hpp"

namespace particle::cni {
namespace {

std::string pools_directory(const Call& call) {
  return call.store.directory() + "/pools";
}
std::string mark_directory(const Call& call, const std::string& pool) {
  return pools_directory(call) + "/" + pool;
}
std::string mark_file(const Call& call, const std::string& pool) {
  return mark_directory(call, pool) + "/made";
}
std::string idle_directory(const Call& call) {
  return call.store.directory() + "/idle";
}
std::string idle_file(const Call& call, const std::string& pool) {
  return idle_directory(call) + "/" + pool;
}

/// Seconds since boot, asleep or not: what the wall clock does is no reason to remove a pool.
std::int64_t boot_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

/// A lock on the mark's directory. Makers hold it shared while they make the pool, removers
/// exclusively: a mark goes with its pool and with nobody about to make that pool again.
Result<DirLock> lock_mark(const Call& call, const std::string& pool, DirLock::Mode mode) {
  return DirLock::acquire(mark_directory(call, pool), mode, false);
}

/// Marks the pool as the plugin's and holds the mark.
Answer<DirLock> hold_mark(const Call& call) {
  constexpr int kAttempts = 100;
  const std::string& pool = call.conf.spec.name;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto written = place_file(mark_file(call, pool), call.conf.name + "\n");
    if (!written) return refuse(translate(written.error(), "pool " + pool));
    auto lock = lock_mark(call, pool, DirLock::Mode::shared);
    struct stat status{};
    if (lock && ::stat(mark_file(call, pool).c_str(), &status) == 0) return *std::move(lock);
  }
  return refuse(Code::try_again, "pool " + pool + " is made and removed all the time");
}

bool same_blocks(const PoolInfo& pool, const PoolSpec& spec) {
  if (pool.blocks.size() != spec.blocks.size()) return false;
  for (const auto& block : spec.blocks) {
    bool found = false;
    for (const auto& have : pool.blocks) found = found || have == block;
    if (!found) return false;
  }
  return true;
}

void remove_mark(const Call& call, const std::string& pool) {
  (void)remove_file(mark_file(call, pool));
  (void)remove_file(idle_file(call, pool));
  const std::string directory = mark_directory(call, pool);
  if (::rmdir(directory.c_str()) != 0) {
    try_remove_temporaries(directory);
    ::rmdir(directory.c_str());
  }
  ::rmdir(pools_directory(call).c_str());
  ::rmdir(idle_directory(call).c_str());
  if (::rmdir(call.store.directory().c_str()) == 0) ::rmdir((call.node.run_dir() + "/cni").c_str());
}

/// Removes an empty pool and its mark. Whoever leases meanwhile wins: libparticle refuses then.
void try_remove(const Call& call, const std::string& pool) {
  const auto lock = lock_mark(call, pool, DirLock::Mode::exclusive);
  if (!lock) return;
  auto removed = call.node.delete_pool(pool, false, call.apply_options());
  if (removed || removed.error().kind() == Errc::not_found) remove_mark(call, pool);
}

}  // namespace

bool is_plainly_the_same(const PoolInfo& pool, const NetConf& conf) {
  const PoolSpec& spec = conf.spec;
  return pool.tenant == spec.tenant && pool.vni == spec.vni && pool.isolation == spec.isolation &&
         pool.egress == spec.egress &&
         (!conf.attachment_given || spec.attachment == pool.attachment) &&
         (spec.mode == AddressMode::automatic || spec.mode == pool.mode) &&
         (!spec.count || *spec.count == pool.capacity) && (!spec.mtu || *spec.mtu == pool.mtu) &&
         (!spec.underlay.device || *spec.underlay.device == pool.underlay_device) &&
         (!spec.underlay.address || *spec.underlay.address == pool.vtep) && same_blocks(pool, spec);
}

Answer<void> ensure_pool(const Call& call, bool exists) {
  const PoolSpec& spec = call.conf.spec;
  std::optional<DirLock> mark;
  if (!exists) {
    auto held = hold_mark(call);
    if (!held) return refuse(std::move(held.error()));
    mark.emplace(*std::move(held));
    call.step("pool.mark");
  }
  auto made = call.node.create_pool(spec, call.apply_options());
  if (made) {
    call.step("pool.made");
    return {};
  }
  CniError error = translate(made.error(), "pool " + spec.name);
  mark.reset();
  if (!call.node.find_pool(spec.name)) try_remove(call, spec.name);
  return refuse(std::move(error));
}

void try_retire_pool(const Call& call, const std::string& pool, std::chrono::seconds keep) {
  struct stat status{};
  if (::stat(mark_file(call, pool).c_str(), &status) != 0) return;
  const auto leased = call.node.count_leases(pool);
  if (!leased || *leased != 0) return;
  if (keep == std::chrono::seconds(0)) {
    try_remove(call, pool);
    return;
  }
  (void)place_file(idle_file(call, pool), std::to_string(boot_seconds() + keep.count()) + "\n");
}

void try_sweep_pools(const Call& call) {
  for (const auto& pool :
       list_directory(idle_directory(call)).value_or(std::vector<std::string>{})) {
    if (pool.starts_with(kTemporaryPrefix)) continue;
    const auto text = read_file(idle_file(call, pool), kLargestRecord);
    if (!text || !*text) continue;
    std::int64_t until = 0;
    std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), until);
    if (until > boot_seconds()) continue;
    const auto leased = call.node.count_leases(pool);
    // In use again: its next empty time is noted when it comes.
    if (leased && *leased != 0) (void)remove_file(idle_file(call, pool));
    if (leased && *leased == 0) try_remove(call, pool);
  }
  try_remove_temporaries(idle_directory(call));
}

void try_retire_abandoned(const Call& call) {
  for (const auto& pool :
       list_directory(pools_directory(call)).value_or(std::vector<std::string>{})) {
    // Another network's pool is kept for as long as that network says.
    const auto maker = read_file(mark_file(call, pool), kLargestRecord);
    if (!maker || *maker != call.conf.name + "\n") continue;
    struct stat status{};
    if (::stat(idle_file(call, pool).c_str(), &status) == 0) continue;
    try_retire_pool(call, pool, call.conf.keep_pool);
  }
}

}  // namespace particle::cni
