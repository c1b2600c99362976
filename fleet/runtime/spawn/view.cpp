// SPDX-License-Identifier: Apache-2.0
#include "spawn/view.hpp"

#include <array>
#include <string>

#include <sys/mount.h>
#include <sys/stat.h>

#include "spawn/calls.hpp"
#include "spawn/stage.hpp"

namespace particle::fleet::spawn {
namespace {

// As container runtimes have it: what would change the host, and what tells too much of it.
constexpr std::array<const char*, 5> kReadOnly = {"proc/bus", "proc/fs", "proc/irq", "proc/sys",
                                                  "proc/sysrq-trigger"};
constexpr std::array<const char*, 6> kMasked = {"proc/kcore",         "proc/keys",
                                                "proc/latency_stats", "proc/timer_list",
                                                "proc/timer_stats",   "proc/sched_debug"};
constexpr std::array<const char*, 3> kEmptied = {"proc/acpi", "proc/scsi", "proc/asound"};

Failure mount_at(const char* source, const char* target, const char* type, unsigned long flags,
                 const char* options = nullptr) {
  return ::mount(source, target, type, flags, options) == 0 ? Failure{}
                                                            : last_failure("mount", target);
}

Failure write_file(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return last_failure("make", path);
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return whole ? Failure{} : last_failure("write", path);
}

/// The files that differ between instances are put into the layer before it is mounted: no copy-up.
Failure make_layer(const Job& job, const Start& start) {
  const std::string options = "mode=0755,size=" + std::to_string(job.layer_bytes);
  if (Failure bad = mount_at("tmpfs", "/layer", "tmpfs", MS_NOSUID | MS_NODEV, options.c_str())) {
    return bad;
  }
  for (const char* name : {"/layer/upper", "/layer/work", "/layer/shm", "/layer/upper/etc"}) {
    if (::mkdir(name, 0755) != 0) return last_failure("make", name);
  }
  struct stat etc = {};
  if (::chmod("/layer/shm", 01777) != 0 || ::stat("/shared/etc", &etc) != 0 ||
      ::chmod("/layer/upper/etc", etc.st_mode & 07777) != 0) {
    return last_failure("prepare the writable layer");
  }
  if (Failure bad = write_file("/layer/upper/etc/hosts", start.hosts)) return bad;
  return write_file("/layer/upper/etc/hostname", start.hostname + "\n");
}

Failure make_root() {
  std::string options = "lowerdir=/shared:/image,upperdir=/layer/upper,workdir=/layer/work";
  if (in_user_namespace()) options += ",userxattr";
  if (Failure bad = mount_at("overlay", "/root", "overlay", MS_NODEV, options.c_str())) return bad;
  return ::chdir("/root") == 0 ? Failure{} : last_failure("enter", "/root");
}

Failure make_devices() {
  // With what is mounted in it: in a user namespace each device is a mount of the host's.
  if (Failure bad = mount_at("/dev", "dev", nullptr, MS_BIND | MS_REC)) return bad;
  constexpr unsigned long kFlags = MS_NOSUID | MS_NOEXEC;
  if (Failure bad =
          mount_at("devpts", "dev/pts", "devpts", kFlags, "newinstance,ptmxmode=0666,mode=0620")) {
    return bad;
  }
  if (Failure bad = mount_at("mqueue", "dev/mqueue", "mqueue", kFlags | MS_NODEV)) return bad;
  return mount_at("/layer/shm", "dev/shm", nullptr, MS_BIND);
}

bool is_there(const char* path) {
  return ::access(path, F_OK) == 0;
}

Failure make_proc() {
  if (Failure bad = mount_at("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)) {
    return bad;
  }
  constexpr unsigned long kFlags =
      MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  for (const char* path : kReadOnly) {
    if (!is_there(path)) continue;
    if (Failure bad = mount_at(path, path, nullptr, MS_BIND)) return bad;
    if (Failure bad = mount_at(nullptr, path, nullptr, kFlags)) return bad;
  }
  for (const char* path : kMasked) {
    if (!is_there(path)) continue;
    if (Failure bad = mount_at("/dev/null", path, nullptr, MS_BIND)) return bad;
  }
  for (const char* path : kEmptied) {
    if (!is_there(path)) continue;
    if (Failure bad = mount_at("/empty", path, nullptr, MS_BIND)) return bad;
  }
  return {};
}

/// The instance's own shared memory covers the points that the stage has made for all.
Failure make_point_in_memory(const std::string& target, const std::string& from) {
  const std::string path = target.substr(1);
  for (std::size_t end = path.find('/', sizeof("dev/shm/") - 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    if (::mkdir(path.substr(0, end).c_str(), 0755) != 0 && errno != EEXIST) {
      return last_failure("make", target);
    }
  }
  struct stat source = {};
  if (::stat(from.c_str(), &source) != 0) return last_failure("stat", from);
  if (!S_ISDIR(source.st_mode)) return write_file(path, {});
  return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST ? Failure{}
                                                             : last_failure("make", target);
}

Failure make_binds(const Job& job) {
  for (std::size_t i = 0; i < job.mounts.size(); ++i) {
    const std::string from = "/binds/" + std::to_string(i);
    if (job.mounts[i].target.starts_with("/dev/shm/")) {
      if (Failure bad = make_point_in_memory(job.mounts[i].target, from)) return bad;
    }
    if (Failure bad =
            mount_at(from.c_str(), job.mounts[i].target.c_str() + 1, nullptr, MS_BIND | MS_REC)) {
      return bad;
    }
  }
  return {};
}

}  // namespace

Failure build_view(const Job& job, const Start& start) {
  if (Failure bad = make_layer(job, start)) return bad;
  if (Failure bad = make_root()) return bad;
  if (Failure bad = make_devices()) return bad;
  if (Failure bad = mount_at("/sys", "sys", nullptr, MS_BIND)) return bad;
  if (Failure bad = make_proc()) return bad;
  if (Failure bad = make_binds(job)) return bad;
  if (pivot_root(".", ".") != 0) return last_failure("pivot_root");
  if (::umount2(".", MNT_DETACH) != 0) return last_failure("leave the stage");
  if (::chdir(job.directory.c_str()) != 0) return last_failure("enter", job.directory);
  return {};
}

}  // namespace particle::fleet::spawn
