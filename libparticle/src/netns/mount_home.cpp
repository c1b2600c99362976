// SPDX-License-Identifier: Apache-2.0
#include "netns/mount_home.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::detail {
namespace {

struct FileId {
  dev_t device;
  ino_t inode;
  friend bool operator==(const FileId&, const FileId&) = default;
};

std::optional<FileId> identify(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

std::string mount_ns_of(pid_t pid) {
  return "/proc/" + std::to_string(pid) + "/ns/mnt";
}

/// The fourth field of /proc/PID/stat; 0 at the top or when it cannot be read.
pid_t parent_of(const std::string& process) {
  const UniqueFd file(open(("/proc/" + process + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return 0;
  std::array<char, 512> buffer{};
  const ssize_t size = read(file.get(), buffer.data(), buffer.size());
  if (size <= 0) return 0;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  // "PID (any text) S PPID ...": the command may hold spaces and parentheses, so go from the last
  // one.
  const std::size_t close = text.rfind(')');
  if (close == std::string_view::npos || close + 4 >= text.size()) return 0;
  pid_t parent = 0;
  std::from_chars(text.data() + close + 4, text.data() + text.size(), parent);
  return parent;
}

/// Pid 1 and then our ancestors, oldest first.
std::vector<pid_t> elders() {
  constexpr std::size_t kDeepest = 256;  // a bound, should pids be recycled into a circle meanwhile
  std::vector<pid_t> line;
  for (pid_t pid = parent_of("self"); pid > 1 && line.size() < kDeepest;
       pid = parent_of(std::to_string(pid))) {
    line.push_back(pid);
  }
  line.push_back(1);
  std::reverse(line.begin(), line.end());
  return line;
}

/// Moves the calling thread, which must be a worker, into `mount_ns`. False when refused, or when
/// `directory` is another one there; checked after the move, so that no race can mislead us.
bool enter(const UniqueFd& mount_ns, const std::string& directory, const FileId& wanted) {
  return unshare(CLONE_FS) == 0 &&  // setns refuses threads that share their root directory
         setns(mount_ns.get(), CLONE_NEWNS) == 0 && identify(directory) == wanted;
}

/// nullopt when `mount_ns` is not the home of `directory`; `work` has not run then.
std::optional<Result<void>> try_run_in(const UniqueFd& mount_ns, const std::string& directory,
                                       const FileId& wanted, const Work& work) {
  bool entered = false;
  Result<void> outcome = run_on_worker([&]() -> Result<void> {
    entered = enter(mount_ns, directory, wanted);
    if (!entered) return {};
    return work();
  });
  if (!outcome || entered) return outcome;
  return std::nullopt;
}

/// Runs `work` where it belongs. `here`: whether that was the calling thread's own mount namespace.
Result<void> run_and_tell(const std::string& directory, const Work& work, bool& here) {
  here = true;
  const auto ours = identify("/proc/thread-self/ns/mnt");
  if (!ours || identify(mount_ns_of(1)) == ours) return work();
  const auto wanted = identify(directory);
  if (!wanted) return work();

  std::vector<FileId> declined;
  for (const pid_t pid : elders()) {
    const UniqueFd mount_ns(open(mount_ns_of(pid).c_str(), O_RDONLY | O_CLOEXEC));
    if (!mount_ns.valid()) continue;
    struct stat info{};
    if (fstat(mount_ns.get(), &info) != 0) continue;
    const FileId id{info.st_dev, info.st_ino};
    if (id == *ours) return work();
    if (std::find(declined.begin(), declined.end(), id) != declined.end()) continue;
    if (auto outcome = try_run_in(mount_ns, directory, *wanted, work)) {
      here = false;
      return std::move(*outcome);
    }
    declined.push_back(id);
  }
  return work();
}

}  // namespace

Result<void> run_at_mount_home(const std::string& directory, const Work& work) {
  bool here = false;
  return run_and_tell(directory, work, here);
}

bool MountHome::is_here() const {
  const auto known = home_.load(std::memory_order_relaxed);
  if (known == 0) return false;
  const auto ours = identify("/proc/thread-self/ns/mnt");
  return ours && ours->inode == known;
}

Result<void> MountHome::run(const std::string& directory, const Work& work) const {
  if (is_here()) return work();
  const auto ours = identify("/proc/thread-self/ns/mnt");
  bool here = false;
  Result<void> outcome = run_and_tell(directory, work, here);
  if (here && ours) home_.store(ours->inode, std::memory_order_relaxed);
  return outcome;
}

}  // namespace particle::detail
