// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <particle/netns.hpp>

#include "support/fd_leak.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

/// Runs `work` in a child process, as another command would; its exit code.
template <class Work>
int in_child_of_pin(const Work& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/// The child's mount namespace as `ip netns exec` makes it: private, a slave of ours.
bool enter_private_mounts() {
  return unshare(CLONE_NEWNS) == 0 && mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) == 0;
}

bool is_mounted_here(const std::string& path) {
  std::ifstream file("/proc/thread-self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.find(" " + path + " ") != std::string::npos) return true;
  }
  return false;
}

bool create_and_pin(const std::string& path) {
  const auto fresh = create_netns();
  return fresh && pin_netns(fresh->netns, path);
}

}  // namespace

TEST_CASE("netns pin: the namespace outlives the process that made it") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const std::string pin = dir.file("p");
  REQUIRE(in_child_of_pin([&] { return create_and_pin(pin); }) == 0);
  const auto opened = must(open_pinned_netns(pin));
  CHECK(must(opened.inode()) != must(must(NetNs::current()).inode()));
  must(unpin_netns(pin));
  CHECK_FALSE(std::filesystem::exists(pin));
}

TEST_CASE("netns pin: it is the same namespace by inode and cookie") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const FdLeak fds;
  {
    const auto fresh = must(create_netns());
    must(pin_netns(fresh.netns, dir.file("p")));
    const auto opened = must(open_pinned_netns(dir.file("p")));
    CHECK(must(opened.inode()) == must(fresh.netns.inode()));
    CHECK(must(opened.cookie()) == must(fresh.netns.cookie()));
    CHECK(must(NetNs::open_path(dir.file("p")).value().inode()) == must(fresh.netns.inode()));
    must(unpin_netns(dir.file("p")));
  }
  CHECK(fds.leaked() == std::vector<std::string>{});
}

TEST_CASE("netns pin: made in a private mount namespace, it is seen and undone from everywhere") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const std::string pin = dir.file("p");
  REQUIRE(in_child_of_pin([&] { return enter_private_mounts() && create_and_pin(pin); }) == 0);
  CHECK(is_mounted_here(pin));
  const auto inode = must(must(open_pinned_netns(pin)).inode());

  CHECK(in_child_of_pin([&] {
          if (!enter_private_mounts()) return false;
          const auto opened = open_pinned_netns(pin);
          return opened && opened->inode().value_or(0) == inode;
        }) == 0);
  CHECK(in_child_of_pin([&] { return enter_private_mounts() && unpin_netns(pin); }) == 0);
  CHECK_FALSE(is_mounted_here(pin));
  CHECK_FALSE(std::filesystem::exists(pin));
}

TEST_CASE("netns pin: nested private mount namespaces lead to the outermost") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const std::string pin = dir.file("p");
  const int outer = in_child_of_pin([&] {
    return enter_private_mounts() &&
           in_child_of_pin([&] { return enter_private_mounts() && create_and_pin(pin); }) == 0;
  });
  CHECK(outer == 0);
  CHECK(is_mounted_here(pin));
  must(unpin_netns(pin));
}

TEST_CASE("netns pin: on a tmpfs that only this mount namespace has, it stays there") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const std::string pin = dir.file("p");
  CHECK(in_child_of_pin([&] {
          return enter_private_mounts() &&
                 mount("none", dir.path().c_str(), "tmpfs", 0, nullptr) == 0 &&
                 create_and_pin(pin) && is_mounted_here(pin) && open_pinned_netns(pin) &&
                 unpin_netns(pin) && !is_mounted_here(pin);
        }) == 0);
  CHECK_FALSE(std::filesystem::exists(pin));
}

TEST_CASE("netns pin: `ip netns exec` sees, keeps and loses the pin like everybody") {
  if (!need_namespaces()) return;
  // Without root the names of iproute2 live on a tmpfs of our own.
  if (in_test_user_ns()) REQUIRE(mount("none", "/run", "tmpfs", 0, nullptr) == 0);
  const TempRunDir dir;
  const std::string pin = dir.file("p");
  const std::string name = "particle-test-" + std::to_string(getpid());
  REQUIRE(run_command({"ip", "netns", "add", name}).exit_code == 0);
  CHECK(in_child_of_pin([&] { return create_and_pin(pin); }) == 0);
  Command shell({"ip", "netns", "exec", name, "sh", "-c", "echo ready; exec sleep 60"});
  CHECK(shell.wait_for_text("ready"));

  // The shell's own mount namespace holds a copy of the pin; unpinning must not leave it there.
  const std::string mountinfo = "/proc/" + std::to_string(shell.pid()) + "/mountinfo";
  CHECK(run_command({"grep", "-q", pin, mountinfo}).exit_code == 0);
  must(unpin_netns(pin));
  CHECK(run_command({"grep", "-q", pin, mountinfo}).exit_code == 1);
  CHECK(run_command({"ip", "netns", "del", name}).exit_code == 0);
}

TEST_CASE("netns pin: a taken path is refused and left alone") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const auto fresh = must(create_netns());
  must(pin_netns(fresh.netns, dir.file("p")));
  const auto again = pin_netns(must(create_netns()).netns, dir.file("p"));
  REQUIRE_FALSE(again);
  CHECK(again.error().kind() == Errc::already_exists);
  CHECK(must(must(open_pinned_netns(dir.file("p"))).inode()) == must(fresh.netns.inode()));
  must(unpin_netns(dir.file("p")));
}

TEST_CASE("netns pin: a file with nothing pinned on it is not a namespace, and unpin removes it") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  std::ofstream(dir.file("p")).close();
  CHECK(open_pinned_netns(dir.file("p")).error().kind() == Errc::not_found);
  must(unpin_netns(dir.file("p")));
  CHECK_FALSE(std::filesystem::exists(dir.file("p")));
}

TEST_CASE("netns pin: unpin leaves alone what is no pin") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  std::ofstream(dir.file("text")) << "precious";
  CHECK(unpin_netns(dir.file("text")).error().kind() == Errc::invalid_argument);
  CHECK(std::filesystem::file_size(dir.file("text")) == 8);
  std::filesystem::create_directory(dir.file("sub"));
  CHECK(unpin_netns(dir.file("sub")).error().kind() == Errc::invalid_argument);
  std::filesystem::create_symlink(dir.file("text"), dir.file("link"));
  CHECK(unpin_netns(dir.file("link")).error().kind() == Errc::invalid_argument);
}

TEST_CASE("netns pin: unpin is idempotent, with or without the directory") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  must(pin_netns(must(create_netns()).netns, dir.file("p")));
  must(unpin_netns(dir.file("p")));
  must(unpin_netns(dir.file("p")));
  must(unpin_netns(dir.file("no/such/directory")));
}

TEST_CASE("netns pin: bad paths are refused") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const auto fresh = must(create_netns());
  CHECK(pin_netns(fresh.netns, "").error().kind() == Errc::invalid_argument);
  CHECK(pin_netns(fresh.netns, dir.path() + "/").error().kind() == Errc::invalid_argument);
  CHECK(pin_netns(fresh.netns, dir.file("..")).error().kind() == Errc::invalid_argument);
  CHECK(pin_netns(fresh.netns, dir.file("no/p")).error().kind() == Errc::not_found);
  CHECK(open_pinned_netns(dir.file("p")).error().kind() == Errc::not_found);
}

TEST_CASE("netns pin: a refused mount leaves no file and says where mounting works") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  // The directory is ours to write to; mounting is refused (EPERM), as in a user namespace without
  // a mount namespace.
  const int outcome = in_child_of_pin([&] {
    const auto here = NetNs::current();
    if (!here || !drop_capabilities()) return false;
    const auto refused = pin_netns(*here, dir.file("p"));
    return !refused && refused.error().kind() == Errc::permission_denied &&
           refused.error().hint.find("--mount") != std::string::npos;
  });
  CHECK(outcome == 0);
  CHECK_FALSE(std::filesystem::exists(dir.file("p")));
}

}  // namespace particle::test
