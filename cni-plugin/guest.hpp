// SPDX-License-Identifier: Apache-2.0
/// The container's namespace, CNI_NETNS.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/netns.hpp>

#include "errors.hpp"

namespace particle::cni {

/// Opens CNI_NETNS.
/// Errors: unknown_container when it is gone; invalid_environment when it is no network namespace,
/// or the node's own.
Answer<NetNs> open_guest(const std::string& path);

/// A device of the namespace and its addresses, read with getifaddrs(3).
struct GuestDevice {
  bool exists = false;
  bool up = false;
  std::string mac;
  std::vector<IpAddress> addresses;
};
Answer<GuestDevice> look_at_device(const NetNs& netns, const std::string& name);

/// Whether the default route of the family goes through the device, by /proc/net.
Answer<bool> is_default_device(const NetNs& netns, const std::string& name, Family family);

/// Whether there is a device of that name: one system call in the namespace.
Answer<bool> has_device(const NetNs& netns, const std::string& name);

}  // namespace particle::cni
