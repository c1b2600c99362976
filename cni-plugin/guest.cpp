// SPDX-License-Identifier: Apache-2.0
#include "guest.hpp"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <sched.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <sstream>

#include <particle/unique_fd.hpp>

#include "files/files.hpp"

namespace particle::cni {
namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

std::string mac_text(const sockaddr* address) {
  sockaddr_ll link{};
  std::memcpy(&link, address, sizeof link);
  if (link.sll_halen != 6) return {};
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", link.sll_addr[0],
                link.sll_addr[1], link.sll_addr[2], link.sll_addr[3], link.sll_addr[4],
                link.sll_addr[5]);
  return text.data();
}

std::optional<IpAddress> ip_of(const sockaddr* address) {
  Result<IpAddress> ip;
  if (address->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    ip = IpAddress::from_bytes(std::as_bytes(std::span(&in.sin_addr, 1)));
  } else {
    sockaddr_in6 in6{};
    std::memcpy(&in6, address, sizeof in6);
    ip = IpAddress::from_bytes(std::as_bytes(std::span(&in6.sin6_addr, 1)));
  }
  return ip ? std::optional<IpAddress>(*ip) : std::nullopt;
}

void note(GuestDevice& device, const ifaddrs& entry) {
  device.exists = true;
  device.up = (entry.ifa_flags & IFF_UP) != 0;
  if (entry.ifa_addr == nullptr) return;
  if (entry.ifa_addr->sa_family == AF_PACKET) device.mac = mac_text(entry.ifa_addr);
  if (entry.ifa_addr->sa_family == AF_INET || entry.ifa_addr->sa_family == AF_INET6) {
    if (const auto ip = ip_of(entry.ifa_addr)) device.addresses.push_back(*ip);
  }
}

/// Runs `work` in the namespace on this very thread: a helper thread would cost a wake-up, which takes
/// milliseconds on a busy node. The plugin has no other thread that could mind.
template <class Work>
Result<void> inside(const NetNs& netns, const Work& work) {
  const UniqueFd own(::open(kOwnNetns, O_RDONLY | O_CLOEXEC));
  if (!own.valid())
    return fail(
        Error::from_errno(errno, "open the current network namespace", "is /proc mounted?"));
  if (::setns(netns.fd(), CLONE_NEWNET) != 0)
    return fail(
        Error::from_errno(errno, "enter the container's network namespace", "needs CAP_SYS_ADMIN"));
  Result<void> done = work();
  // Going on in the wrong namespace would do damage there.
  if (::setns(own.get(), CLONE_NEWNET) != 0) std::abort();
  return done;
}

}  // namespace

Answer<NetNs> open_guest(const std::string& path) {
  auto netns = NetNs::open_path(path);
  if (!netns) {
    const bool gone = netns.error().kind() == Errc::not_found;
    return refuse(gone ? Code::unknown_container : Code::invalid_environment,
                  "CNI_NETNS " + path + ": " + netns.error().message(),
                  gone ? "the container's network namespace is gone" : "");
  }
  struct stat own{};
  const auto inode = netns->inode();
  if (inode && ::stat(kOwnNetns, &own) == 0 && *inode == own.st_ino)
    return refuse(Code::invalid_environment,
                  "CNI_NETNS " + path + " is the namespace of the node itself",
                  "a container on the host's network needs no pool");
  return *std::move(netns);
}

Answer<GuestDevice> look_at_device(const NetNs& netns, const std::string& name) {
  GuestDevice device;
  auto looked = inside(netns, [&]() -> Result<void> {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return fail(Error::from_errno(errno, "list addresses"));
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
      if (name == entry->ifa_name) note(device, *entry);
    }
    ::freeifaddrs(list);
    return {};
  });
  if (!looked) return refuse(translate(looked.error(), "device " + name));
  return device;
}

Answer<bool> is_default_device(const NetNs& netns, const std::string& name, Family family) {
  const bool v4 = family == Family::v4;
  const std::string path = v4 ? "/proc/thread-self/net/route" : "/proc/thread-self/net/ipv6_route";
  std::string table;
  auto looked = inside(netns, [&]() -> Result<void> {
    auto text = read_file(path);
    if (!text) return fail(std::move(text.error()));
    table = text->value_or("");
    return {};
  });
  if (!looked) return refuse(translate(looked.error(), "routes of " + name));
  // IPv4: device, destination, gateway, flags, ... mask; IPv6: destination, its length, ... device.
  std::istringstream lines(table);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(word);
    if (v4 && fields.size() > 7 && fields[0] == name && fields[1] == "00000000" &&
        fields[7] == "00000000")
      return true;
    if (!v4 && fields.size() > 9 && fields[9] == name && fields[1] == "00" &&
        fields[0].find_first_not_of('0') == std::string::npos)
      return true;
  }
  return false;
}

Answer<bool> has_device(const NetNs& netns, const std::string& name) {
  bool found = false;
  auto looked = inside(netns, [&]() -> Result<void> {
    found = ::if_nametoindex(name.c_str()) != 0;
    return {};
  });
  if (!looked) return refuse(translate(looked.error(), "device " + name));
  return found;
}

}  // namespace particle::cni
