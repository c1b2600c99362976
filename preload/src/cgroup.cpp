// SPDX-License-Identifier: Apache-2.0
#include "src/cgroup.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace particle::bind {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kKillPatience{5000};
constexpr std::chrono::milliseconds kKillPoll{2};

Result<void> write_file(int directory, const char* name, const std::string& text,
                        const std::string& shown) {
  const UniqueFd file(::openat(directory, name, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), text.data(), text.size()) < 0) {
    return fail(Error::from_errno(errno, "write " + text + " to " + shown + "/" + name));
  }
  return {};
}

}  // namespace

Result<std::string> find_cgroup2() {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream words(line);
    std::string id;
    std::string parent;
    std::string device;
    std::string root;
    std::string point;
    words >> id >> parent >> device >> root >> point;
    if (line.find(" - cgroup2 ") != std::string::npos && root == "/") {
      return point;
    }
  }
  return fail(Error::of(Errc::unsupported, "find the cgroup2 mount",
                        "mount it: mount -t cgroup2 none /sys/fs/cgroup/unified"));
}

Result<Cgroup> open_cgroup(const std::string& path) {
  Cgroup cgroup;
  cgroup.path = path;
  cgroup.directory = UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status = {};
  if (!cgroup.directory.valid() || ::fstat(cgroup.directory.get(), &status) != 0) {
    return fail(Error::from_errno(errno, "open the control group " + path));
  }
  cgroup.id = status.st_ino;  // a kernfs node's id is its inode number
  return cgroup;
}

Result<Cgroup> ensure_cgroup(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return fail(Error::from_errno(errno, "make the control group " + path,
                                  "root, or a delegated subtree of cgroup2, is needed"));
  }
  return open_cgroup(path);
}

Result<void> move_into(const Cgroup& cgroup, pid_t process) {
  return write_file(cgroup.directory.get(), "cgroup.procs", std::to_string(process), cgroup.path);
}

bool is_populated(const Cgroup& cgroup) {
  const UniqueFd file(::openat(cgroup.directory.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  char text[128] = {};
  return file.valid() && ::read(file.get(), text, sizeof(text) - 1) > 0 &&
         std::strstr(text, "populated 1") != nullptr;
}

Result<void> kill_all(const Cgroup& cgroup) {
  const auto deadline = std::chrono::steady_clock::now() + kKillPatience;
  while (is_populated(cgroup)) {
    if (auto ok = write_file(cgroup.directory.get(), "cgroup.kill", "1", cgroup.path); !ok) {
      return ok;
    }
    if (std::chrono::steady_clock::now() > deadline) {
      return fail(Error::of(Errc::busy, "end the processes in " + cgroup.path,
                            "they do not die; see `cat " + cgroup.path + "/cgroup.procs`"));
    }
    std::this_thread::sleep_for(kKillPoll);
  }
  return {};
}

std::vector<std::string> children_of(const std::string& path) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (fs::directory_iterator it(path, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    std::error_code gone;
    if (it->is_directory(gone) && !gone) {
      names.push_back(it->path().filename().string());
    }
  }
  return names;
}

Result<void> remove_cgroup(const std::string& path) {
  for (const std::string& child : children_of(path)) {
    if (auto ok = remove_cgroup(path + "/" + child); !ok) {
      return ok;
    }
  }
  // A process that was just killed is in its group until it is reaped: the kernel says EBUSY.
  const auto deadline = std::chrono::steady_clock::now() + kKillPatience;
  while (::rmdir(path.c_str()) != 0) {
    if (errno == ENOENT) {
      return {};
    }
    if (errno != EBUSY || std::chrono::steady_clock::now() > deadline) {
      return fail(Error::from_errno(errno, "remove the control group " + path));
    }
    std::this_thread::sleep_for(kKillPoll);
  }
  return {};
}

Result<void> end_group(const Cgroup& cgroup) {
  if (auto ok = kill_all(cgroup); !ok) {
    return ok;
  }
  return remove_cgroup(cgroup.path);
}

}  // namespace particle::bind
