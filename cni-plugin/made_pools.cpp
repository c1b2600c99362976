// SPDX-License-Identifier: Apache-2.0
#include "made_pools.hpp"

#include <unistd.h>

#include <charconv>
#include <ctime>
#include <optional>
#include <utility>

#include "files/files.hpp"

namespace particle::cni {
namespace {

/// Seconds since boot, asleep or not: what the wall clock does is no reason to remove a pool.
std::int64_t boot_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec;
}

std::string mark_text(const std::string& network, std::uint64_t id) {
  return network + "\n" + (id == 0 ? "" : std::to_string(id) + "\n");
}

/// What mark_text() wrote; the id is 0 until the pool is there.
struct Mark {
  std::string network;
  std::uint64_t id = 0;
};

std::optional<Mark> read_mark(const std::string& path) {
  const auto text = read_file(path, kLargestRecord);
  if (!text || !*text) return std::nullopt;
  const auto line = (*text)->find('\n');
  Mark mark{(*text)->substr(0, line), 0};
  if (line != std::string::npos)
    std::from_chars((*text)->data() + line + 1, (*text)->data() + (*text)->size(), mark.id);
  return mark;
}

std::vector<std::string> names_in(const std::string& directory) {
  auto names = list_directory(directory).value_or(std::vector<std::string>{});
  std::erase_if(names, [](const std::string& name) { return name.starts_with(kTemporaryPrefix); });
  return names;
}

}  // namespace

MadePools::MadePools(const Node& node, std::string directory, ApplyOptions options)
    : node_(node), directory_(std::move(directory)), options_(std::move(options)) {}

Result<DirLock> MadePools::hold(const std::string& pool, const std::string& network) const {
  constexpr int kAttempts = 100;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto written = place_file(mark(pool), mark_text(network, 0));
    if (!written) return fail(std::move(written.error()));
    // Makers hold it shared while they make the pool, removers exclusively: a mark goes with its pool and
    // with nobody about to make that pool again.
    auto lock = DirLock::acquire(mark_directory(pool), DirLock::Mode::shared, false);
    if (lock && file_exists(mark(pool))) return lock;
  }
  return fail(Error::of(Errc::busy, "pool " + pool + " is made and removed all the time"));
}

void MadePools::try_identify(const PoolInfo& pool, const std::string& network) const {
  (void)place_file(mark(pool.name), mark_text(network, pool.id));
}

void MadePools::try_remove(const std::string& pool) const {
  const auto lock = DirLock::acquire(mark_directory(pool), DirLock::Mode::exclusive, false);
  if (!lock) return;
  // Whoever leases meanwhile wins: libparticle refuses then.
  if (!is_ours(pool)) return remove_mark(pool);
  auto removed = node_.delete_pool(pool, false, options_);
  if (removed || removed.error().kind() == Errc::not_found) remove_mark(pool);
}

void MadePools::try_retire(const std::string& pool, std::chrono::seconds keep) const {
  if (!file_exists(mark(pool)) || !is_empty(pool)) return;
  if (keep == std::chrono::seconds(0)) {
    try_remove(pool);
    return;
  }
  (void)place_file(idle(pool), std::to_string(boot_seconds() + keep.count()) + "\n");
}

void MadePools::try_sweep() const {
  for (const auto& pool : names_in(idles())) {
    if (is_kept(pool)) continue;
    const auto leased = node_.count_leases(pool);
    // In use again: its next empty time is noted when it comes.
    if (leased && *leased != 0) (void)remove_file(idle(pool));
    if (leased && *leased == 0) try_remove(pool);
  }
  try_remove_temporaries(idles());
}

void MadePools::try_retire_abandoned(const std::string& network, std::chrono::seconds keep) const {
  for (const auto& pool : names_in(pools())) {
    // Another network's pool is kept for as long as that network says.
    const auto made = read_mark(mark(pool));
    if (!made || made->network != network || file_exists(idle(pool))) continue;
    try_retire(pool, keep);
  }
}

std::vector<GcFinding> MadePools::collect(bool dry_run) const {
  std::vector<GcFinding> findings;
  for (const auto& pool : names_in(pools())) {
    // Somebody is making it.
    const auto lock = DirLock::try_acquire(mark_directory(pool), DirLock::Mode::exclusive);
    if (!lock || !*lock) continue;
    const auto info = node_.find_pool(pool);
    if (!info && info.error().kind() != Errc::not_found) continue;
    const bool ours = info && is_ours(pool);
    if (ours && (!is_empty(pool) || is_kept(pool))) continue;
    if (!ours) {
      findings.push_back(
          {GcAction::removed, "mark of pool " + pool, "the pool that the CNI plugin made is gone"});
      if (!dry_run) remove_mark(pool);
      continue;
    }
    findings.push_back(
        {GcAction::removed, "pool " + pool, "the CNI plugin made it, and nobody uses it"});
    if (dry_run) continue;
    auto removed = node_.delete_pool(pool, false, options_);
    if (removed) {
      remove_mark(pool);
    } else {
      findings.back() = {GcAction::kept, "pool " + pool, removed.error().message()};
    }
  }
  return findings;
}

bool MadePools::is_ours(const std::string& pool) const {
  const auto made = read_mark(mark(pool));
  if (!made) return false;
  const auto info = node_.find_pool(pool);
  return made->id == 0 || !info || info->id == made->id;
}

bool MadePools::is_empty(const std::string& pool) const {
  const auto leased = node_.count_leases(pool);
  return leased && *leased == 0;
}

bool MadePools::is_kept(const std::string& pool) const {
  const auto text = read_file(idle(pool), kLargestRecord);
  if (!text || !*text) return false;
  std::int64_t until = 0;
  std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), until);
  return until > boot_seconds();
}

void MadePools::remove_mark(const std::string& pool) const {
  (void)remove_file(mark(pool));
  (void)remove_file(idle(pool));
  const std::string directory = mark_directory(pool);
  if (::rmdir(directory.c_str()) != 0) {
    try_remove_temporaries(directory);
    ::rmdir(directory.c_str());
  }
  ::rmdir(pools().c_str());
  ::rmdir(idles().c_str());
  if (::rmdir(directory_.c_str()) == 0) ::rmdir((node_.run_dir() + "/cni").c_str());
}

}  // namespace particle::cni
