// SPDX-License-Identifier: Apache-2.0
#include "demo/lodging.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "baselines/sandbox.hpp"
#include "demo/pools.hpp"

namespace particle::cli::demo {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMarker = "particle-demo";
constexpr const char* kPrivateDirectory = "/run/particle-demo";

/// Effective capabilities of this process include `number`.
bool has_capability(unsigned number) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    return ((std::strtoull(line.c_str() + 7, nullptr, 16) >> number) & 1U) != 0;
  }
  return false;
}

bool has_privileges() {
  constexpr unsigned kCapNetAdmin = 12;
  constexpr unsigned kCapSysAdmin = 21;
  return has_capability(kCapNetAdmin) && has_capability(kCapSysAdmin);
}

/// The marker tells remove_kept() that the directory is ours, from the first moment on.
Result<void> mark(const std::string& directory) {
  std::ofstream marker(directory + "/" + kMarker);
  marker << "Made by `particle demo`; `particle demo --remove " << directory << "` removes it.\n";
  marker.close();
  if (!marker) return fail(Error::from_errno(EIO, "write " + directory + "/" + kMarker));
  return {};
}

Result<std::string> make_private_directory() {
  if (auto done = baselines::enter_private_mounts(); !done) return fail(std::move(done.error()));
  if (mkdir(kPrivateDirectory, 0755) != 0) {
    return fail(Error::from_errno(errno, std::string("make ") + kPrivateDirectory));
  }
  return std::string(kPrivateDirectory);
}

Result<std::string> make_visible_directory() {
  int error = 0;
  for (const char* parent : {"/run", "/tmp"}) {
    std::string path = std::string(parent) + "/particle-demo.XXXXXX";
    if (mkdtemp(path.data()) != nullptr) return path;
    error = errno;
  }
  return fail(Error::from_errno(error, "make a directory below /run or /tmp"));
}

/// Mount points below `directory`, innermost last.
std::vector<std::string> mounts_below(const std::string& directory) {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string point;
    fields >> skipped >> skipped >> skipped >> skipped >> point;
    if (point.starts_with(directory + "/")) found.push_back(point);
  }
  return found;
}

/// As far as it goes: what cannot be opened or deleted is left to unmounting.
void delete_pools_of(const std::string& directory, std::size_t node) {
  auto netns = open_pinned_netns(node_pin(directory, node));
  if (!netns) return;
  (void)netns->run([&]() -> Result<void> {
    auto opened = Node::open({.run_dir = directory});
    return opened ? delete_pools(*opened) : fail(std::move(opened.error()));
  });
}

Result<void> remove_directory(const std::string& directory) {
  const auto mounts = mounts_below(directory);
  std::for_each(mounts.rbegin(), mounts.rend(),
                [](const std::string& point) { umount2(point.c_str(), MNT_DETACH); });
  std::error_code error;
  fs::remove_all(directory, error);
  if (error) return fail(Error::from_errno(error.value(), "remove " + directory));
  return {};
}

/// A process that does nothing but hold the namespaces it was born in.
Result<pid_t> start_holder() {
  const pid_t pid = fork();
  if (pid < 0) return fail(Error::from_errno(errno, "start a process that holds the namespaces"));
  if (pid > 0) return pid;
  setsid();
  const int null = open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, fd);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
  if (chdir("/") != 0) _exit(1);
  for (;;) pause();
}

}  // namespace

Lodging::Lodging(std::string directory, bool visible, bool unprivileged)
    : directory_(std::move(directory)), visible_(visible), unprivileged_(unprivileged) {}

Lodging::Lodging(Lodging&& other) noexcept
    : directory_(std::move(other.directory_)),
      visible_(std::exchange(other.visible_, false)),
      unprivileged_(other.unprivileged_) {}

Lodging::~Lodging() {
  // What nobody else sees goes with the mount namespace.
  if (visible_) (void)remove_kept(directory_);
}

Result<Lodging> Lodging::enter(bool keep) {
  const bool unprivileged = !has_privileges();
  if (unprivileged) {
    if (auto done = baselines::enter_user_namespace(); !done) return fail(std::move(done.error()));
  }
  const bool visible = keep && !unprivileged;
  auto directory = visible ? make_visible_directory() : make_private_directory();
  if (!directory) return fail(std::move(directory.error()));
  Lodging lodging(std::move(*directory), visible, unprivileged);
  if (auto done = mark(lodging.directory_); !done) return fail(std::move(done.error()));
  return lodging;
}

Result<pid_t> Lodging::leave_up(const Topology& topology) {
  for (std::size_t node = 0; node < kNodes; ++node) {
    auto done = pin_netns(topology.at(node).netns, node_pin(directory_, node));
    if (!done) return fail(std::move(done.error()));
  }
  visible_ = false;
  return unprivileged_ ? start_holder() : Result<pid_t>(0);
}

std::string node_pin(const std::string& directory, std::size_t node) {
  return directory + (node == 0 ? "/node-a" : "/node-b");
}

Result<void> remove_kept(const std::string& directory) {
  std::error_code error;
  const std::string path = fs::canonical(directory, error).string();
  if (error || !fs::is_regular_file(path + "/" + kMarker, error)) {
    return fail(Error::of(Errc::not_found, "remove " + directory + ": no kept demo is there",
                          "give the directory that `particle demo --keep` printed"));
  }
  for (std::size_t node = 0; node < kNodes; ++node) {
    delete_pools_of(path, node);
    if (auto done = unpin_netns(node_pin(path, node)); !done) return done;
  }
  return remove_directory(path);
}

}  // namespace particle::cli::demo
