// SPDX-License-Identifier: Apache-2.0
/// Reading mirrors back from the kernel: links, neighbours and forwarding entries.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

#include "evpn/mirror.hpp"

namespace particle::overlay::evpn {

/// The names and indices of a mirror's devices. Both are chosen, so that none has to be asked for.
class MirrorDevices {
 public:
  explicit MirrorDevices(Vni vni) : vni_(vni) {}
  [[nodiscard]] std::string name(const char* end = "") const {
    return "pe" + std::to_string(vni_.value()) + end;
  }
  [[nodiscard]] IfIndex bridge() const { return at(0); }
  [[nodiscard]] IfIndex vxlan() const { return at(1); }
  [[nodiscard]] IfIndex port() const { return at(2); }
  [[nodiscard]] IfIndex far() const { return at(3); }
  [[nodiscard]] static bool owns(IfIndex index) {
    return index.value >= kBase && index.value < kBase + (Vni::kMax + 1) * 4;
  }

 private:
  /// Far above what the kernel counts up to by itself.
  static constexpr std::uint32_t kBase = 0x1000'0000;
  [[nodiscard]] IfIndex at(std::uint32_t which) const {
    return IfIndex{kBase + vni_.value() * 4 + which};
  }
  Vni vni_;
};

struct MirrorLinks {
  bool whole = false;  ///< every device is there
  IpAddress local;     ///< of the vxlan device
};

/// Does a datagram of neighbour events speak of a mirror's device?
bool is_about_mirrors(std::span<const std::byte> datagram);
/// Errors: those of Session::dump.
Result<std::map<Vni, MirrorLinks>> read_mirrors(Session& session);
Result<Contents> read_contents(Session& session, const std::map<Vni, MirrorLinks>& mirrors);

}  // namespace particle::overlay::evpn
