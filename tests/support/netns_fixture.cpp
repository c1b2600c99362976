// SPDX-License-Identifier: Apache-2.0
#include "support/netns_fixture.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <particle/addr.hpp>
#include <particle/link.hpp>

#include "support/skip.hpp"

namespace particle::test {
namespace {

bool user_ns_entered = false;

bool write_text(const char* path, const std::string& text) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  return file.valid() &&
         write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// An empty string, or why not.
std::string enter_user_ns() {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0) {
    return std::string("needs root, or a user namespace: ") + std::strerror(errno);
  }
  if (!write_text("/proc/self/setgroups", "deny") ||
      !write_text("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") ||
      !write_text("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1")) {
    return std::string("needs root, or id maps in a user namespace: ") + std::strerror(errno);
  }
  user_ns_entered = true;
  return {};
}

/// Mount points at or below `directory`, newest first. Spaces and backslashes are octal there; our
/// directories hold neither.
std::vector<std::string> mounts_below(const std::string& directory) {
  std::ifstream file("/proc/self/mountinfo");
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string mount_point;
    fields >> skipped >> skipped >> skipped >> skipped >> mount_point;
    if (mount_point == directory || mount_point.starts_with(directory + "/")) {
      found.push_back(mount_point);
    }
  }
  std::reverse(found.begin(), found.end());
  return found;
}

std::vector<Sysctl> without_dad() {
  return {{"net/ipv6/conf/all/accept_dad", "0", true},
          {"net/ipv6/conf/default/accept_dad", "0", true}};
}

/// What one end of the underlay needs once the pair exists.
void raise_end(Session& session, IfIndex device, const char* v4, const char* v6) {
  LinkChange loopback_up;
  loopback_up.index = IfIndex{1};
  loopback_up.up = true;
  LinkChange device_up;
  device_up.index = device;
  device_up.up = true;
  AddrSpec address;
  address.device = device;
  address.address = must(IpAddress::parse(v4));
  address.prefix_length = 24;
  address.no_prefix_route = false;
  AddrSpec address6 = address;
  address6.address = must(IpAddress::parse(v6));
  address6.prefix_length = 64;
  must(session.apply(std::vector<Message>{encode_link_change(loopback_up),
                                          encode_link_change(device_up), encode_addr(address),
                                          encode_addr(address6)}));
}

}  // namespace

bool need_namespaces() {
  static const std::string refused = []() -> std::string {
    if (geteuid() == 0 && create_netns()) return {};
    std::string why = enter_user_ns();
    if (why.empty() && !create_netns()) why = "needs the right to make network namespaces";
    return why;
  }();
  if (!refused.empty()) skip(refused);
  return refused.empty();
}

bool in_test_user_ns() {
  return user_ns_entered;
}

bool need_root() {
  if (!need_namespaces()) return false;
  if (geteuid() == 0 && !in_test_user_ns()) return true;
  skip("needs root: cgroup2, eBPF and seccomp without no_new_privs");
  return false;
}

bool drop_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return syscall(SYS_capset, &header, none.data()) == 0;
}

TempRunDir::TempRunDir() {
  const char* parent = std::getenv("TMPDIR");
  const std::filesystem::path base =
      std::filesystem::canonical(parent != nullptr && *parent == '/' ? parent : "/tmp");
  std::string pattern = (base / "particle-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("mkdtemp " + pattern + ": " + std::strerror(errno));
  }
  path_ = pattern;
}

TempRunDir::~TempRunDir() {
  for (const std::string& mount_point : mounts_below(path_)) {
    if (umount2(mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
      // Deleting across a mount would delete what is not ours.
      std::cerr << "left behind: " << mount_point << ": " << std::strerror(errno) << '\n';
      return;
    }
  }
  std::error_code failed;
  std::filesystem::remove_all(path_, failed);
  if (failed) std::cerr << "left behind: " << path_ << ": " << failed.message() << '\n';
}

TwoNodes make_two_nodes(unsigned mtu) {
  FreshNetNs a = must(create_netns(without_dad()));
  FreshNetNs b = must(create_netns(without_dad()));
  // Far from the indices of devices that some kernels make in each new namespace (sit0, ...).
  constexpr IfIndex kIndex{100};
  VethSpec veth;
  veth.name = kUnderlayDevice;
  veth.index = kIndex;
  veth.peer_name = kUnderlayDevice;
  veth.peer_index = kIndex;
  veth.peer_netns_fd = b.netns.fd();
  veth.mtu = must(Mtu::from(mtu));
  must(a.session.apply(encode_veth(veth)));
  raise_end(a.session, kIndex, "192.0.2.1", "2001:db8::1");
  raise_end(b.session, kIndex, "192.0.2.2", "2001:db8::2");
  return TwoNodes{std::move(a.netns),
                  std::move(b.netns),
                  std::move(a.session),
                  std::move(b.session),
                  kIndex,
                  kIndex};
}

}  // namespace particle::test
