// SPDX-License-Identifier: Apache-2.0
/// The run directory: can it hold records and pins?
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <particle/netns.hpp>

#include "probe/report.hpp"

namespace particle::probe {
namespace {

/// `path`, or its nearest parent that exists.
std::string nearest_existing(const std::string& path) {
  std::error_code unreadable;
  std::filesystem::path candidate = std::filesystem::absolute(path, unreadable).lexically_normal();
  while (!std::filesystem::exists(candidate, unreadable) && candidate.has_relative_path()) {
    candidate = candidate.parent_path();
  }
  return candidate.string();
}

Finding writable(const std::string& run_dir, const std::string& place) {
  const std::string detail = place == run_dir ? place : run_dir + " (to be made in " + place + ")";
  if (faccessat(AT_FDCWD, place.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return ok(detail);
  return refused(Error::from_errno(errno, "write to " + place),
                 "run as root, or choose another directory with --run-dir");
}

Finding on_tmpfs(const std::string& place) {
  struct statfs info{};
  if (statfs(place.c_str(), &info) != 0) {
    return unknown(Error::from_errno(errno, "statfs " + place).message(), "");
  }
  if (info.f_type == TMPFS_MAGIC) return ok(place);
  return no(place + " outlives a reboot, pins do not",
            "harmless: `particle gc` clears what a reboot left; a tmpfs saves the trouble");
}

Result<void> pin_and_open(const NetNs& netns, const std::string& path) {
  if (auto pinned = pin_netns(netns, path); !pinned) return pinned;
  auto opened = open_pinned_netns(path);
  auto unpinned = unpin_netns(path);
  if (!opened) return fail(std::move(opened.error()));
  return unpinned;
}

Finding pinning(const std::string& place) {
  // A thread makes no two probes in one nanosecond.
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  const std::string name =
      ".particle-probe-" + std::to_string(gettid()) + "-" + std::to_string(now);
  const std::string path = (std::filesystem::path(place) / name).string();
  auto netns = NetNs::current();
  if (!netns) return unknown(netns.error().message(), netns.error().hint);
  const auto outcome = pin_and_open(*netns, path);
  if (outcome) return ok("");
  return refused(outcome.error(), "choose another directory with --run-dir");
}

}  // namespace

void probe_run_dir(Report& report, const std::string& run_dir) {
  const std::string place = nearest_existing(run_dir);
  add(report, {"run-dir-writable", "records of pools, leases and peers", "", true},
      writable(run_dir, place));
  add(report, {"run-dir-tmpfs", "no stale records after a reboot", ""}, on_tmpfs(place));
  add(report, {"pinning", "pools that outlive the command that made them", "3.8", true},
      pinning(place));
}

}  // namespace particle::probe
