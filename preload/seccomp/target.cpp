// SPDX-License-Identifier: Apache-2.0
#include "seccomp/target.hpp"

#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace particle::bind {
namespace {

constexpr unsigned kPidfdThread = O_EXCL;  // PIDFD_THREAD, Linux 6.9

std::string proc(pid_t thread, const char* name) {
  return "/proc/" + std::to_string(thread) + "/" + name;
}

pid_t leader_of(pid_t thread) {
  std::ifstream status(proc(thread, "status"));
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("Tgid:")) {
      return std::stoi(line.substr(5));
    }
  }
  return thread;
}

/// A thread's pidfd, kept for its next call: making one costs more than all else that is asked of it.
/// Once the thread is gone it stands for nobody, never for the next of that number.
class LastThreads {
 public:
  int find(pid_t thread) const {
    const Entry& entry = entries_[place_of(thread)];
    return entry.thread == thread ? entry.pidfd.get() : -1;
  }
  int keep(pid_t thread, UniqueFd pidfd) {
    Entry& entry = entries_[place_of(thread)];
    entry = {thread, std::move(pidfd)};
    return entry.pidfd.get();
  }

 private:
  struct Entry {
    pid_t thread = 0;
    UniqueFd pidfd;
  };
  static constexpr std::size_t kPlaces = 16;
  static std::size_t place_of(pid_t thread) { return static_cast<std::size_t>(thread) % kPlaces; }
  std::array<Entry, kPlaces> entries_;
};
thread_local LastThreads last_threads;

UniqueFd open_pidfd(pid_t thread, unsigned flags) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, thread, flags)));
}

UniqueFd take_fd(int pidfd, int fd) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, fd, 0)));
}

bool same_user_namespace(pid_t thread) {
  struct stat theirs = {};
  struct stat ours = {};
  return ::stat(proc(thread, "ns/user").c_str(), &theirs) == 0 &&
         ::stat("/proc/thread-self/ns/user", &ours) == 0 && theirs.st_ino == ours.st_ino;
}

bool get_capabilities(__user_cap_data_struct (&data)[2]) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capget, &header, data) == 0;
}

bool set_effective(std::uint64_t wanted) {
  __user_cap_data_struct data[2] = {};
  if (!get_capabilities(data)) {
    return false;
  }
  data[0].effective = data[0].permitted & static_cast<std::uint32_t>(wanted);
  data[1].effective = data[1].permitted & static_cast<std::uint32_t>(wanted >> 32U);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, data) == 0;
}

/// Of this thread alone: the C library's setgroups() changes all of them.
bool set_groups(const std::vector<gid_t>& groups) {
  return ::syscall(SYS_setgroups, groups.size(), groups.data()) == 0;
}

}  // namespace

bool still_waits(int listener, std::uint64_t id) {
  return ::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

bool read_memory(pid_t thread, std::uint64_t from, void* to, std::size_t size) {
  const iovec local = {to, size};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
  const iovec remote = {reinterpret_cast<void*>(from), size};
  return size == 0 ||
         ::process_vm_readv(thread, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

bool write_memory(pid_t thread, std::uint64_t to, const void* from, std::size_t size) {
  const iovec local = {const_cast<void*>(from), size};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
  const iovec remote = {reinterpret_cast<void*>(to), size};
  return size == 0 ||
         ::process_vm_writev(thread, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

UniqueFd duplicate_of(pid_t thread, int fd) {
  if (const int known = last_threads.find(thread); known >= 0) {
    UniqueFd taken = take_fd(known, fd);
    if (taken.valid() || errno != ESRCH) {
      return taken;
    }
  }
  UniqueFd pidfd = open_pidfd(thread, kPidfdThread);
  if (pidfd.valid()) {
    return take_fd(last_threads.keep(thread, std::move(pidfd)), fd);
  }
  if (errno != EINVAL) {
    return {};
  }
  // An older kernel opens leaders only; threads share their descriptors with them. Not kept: the leader
  // may outlive the thread, and the number become another's.
  pidfd = open_pidfd(leader_of(thread), 0);
  return pidfd.valid() ? take_fd(pidfd.get(), fd) : UniqueFd();
}

std::optional<Rights> rights_of(pid_t thread) {
  std::ifstream status(proc(thread, "status"));
  Rights rights;
  std::string line;
  bool complete = false;
  while (std::getline(status, line)) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    gid_t real = 0;
    gid_t effective = 0;
    gid_t saved = 0;
    if (key == "Umask:") {
      words >> std::oct >> rights.umask;
    } else if (key == "Uid:") {
      words >> real >> effective >> saved >> rights.uid;
    } else if (key == "Gid:") {
      words >> real >> effective >> saved >> rights.gid;
    } else if (key == "Groups:") {
      for (gid_t group = 0; words >> group;) {
        rights.groups.push_back(group);
      }
    } else if (key == "CapEff:") {
      words >> std::hex >> rights.capabilities;
      complete = true;
    }
  }
  if (!complete) {
    return std::nullopt;
  }
  if (!same_user_namespace(thread)) {
    rights.capabilities = 0;
  }
  return rights;
}

Impersonation::Impersonation(pid_t thread, const Rights& rights, bool with_files)
    : with_files_(with_files) {
  __user_cap_data_struct data[2] = {};
  const int count = ::getgroups(0, nullptr);
  if (count < 0 || !get_capabilities(data)) {
    return;
  }
  own_groups_.resize(static_cast<std::size_t>(count));
  if (::getgroups(count, own_groups_.data()) != count) {
    return;
  }
  own_capabilities_ = data[0].effective | static_cast<std::uint64_t>(data[1].effective) << 32U;
  if (with_files_ && !take_files(thread, rights.umask)) {
    return;
  }
  const bool grouped = set_groups(rights.groups) || rights.groups == own_groups_;
  ::setfsgid(rights.gid);
  ::setfsuid(rights.uid);
  complete_ = grouped && ::setfsuid(static_cast<uid_t>(-1)) == static_cast<int>(rights.uid) &&
              set_effective(rights.capabilities);
}

bool Impersonation::take_files(pid_t thread, mode_t umask) {
  own_root_ = UniqueFd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  own_directory_ = UniqueFd(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd root(::open(proc(thread, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const UniqueFd cwd(::open(proc(thread, "cwd").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!own_root_.valid() || !own_directory_.valid() || !root.valid() || !cwd.valid()) {
    return false;
  }
  own_umask_ = ::umask(umask);
  return ::fchdir(root.get()) == 0 && ::chroot(".") == 0 && ::fchdir(cwd.get()) == 0;
}

Impersonation::~Impersonation() {
  set_effective(own_capabilities_);
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
  set_groups(own_groups_);
  if (with_files_ && own_root_.valid() && own_directory_.valid()) {
    const bool back =
        ::fchdir(own_root_.get()) == 0 && ::chroot(".") == 0 && ::fchdir(own_directory_.get()) == 0;
    ::umask(own_umask_);
    if (!back) {
      ::_exit(1);  // an agent that is stuck in somebody's root must not go on
    }
  }
}

}  // namespace particle::bind
