// SPDX-License-Identifier: Apache-2.0
#include "evpn/mirror_dump.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace particle::overlay::evpn {
namespace {

template <class Header>
Message dump_request(std::uint16_t type, int family) {
  std::vector<std::byte> bytes(NLMSG_LENGTH(sizeof(Header)));
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(bytes.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  std::memcpy(bytes.data(), &header, sizeof header);
  Header body{};
  *reinterpret_cast<unsigned char*>(&body) = static_cast<unsigned char>(family);
  std::memcpy(bytes.data() + NLMSG_HDRLEN, &body, sizeof body);
  return Message(std::move(bytes));
}

/// A message's attributes by type; the first of each. Lengths are checked by libmnl.
class Attributes {
 public:
  Attributes(std::span<const std::byte> message, std::size_t header) {
    const auto* begin = reinterpret_cast<const nlmsghdr*>(message.data());
    if (message.size() < NLMSG_LENGTH(header) || begin->nlmsg_len > message.size()) return;
    (void)mnl_attr_parse(begin, static_cast<unsigned>(header), &Attributes::take, this);
  }
  explicit Attributes(const nlattr* nest) {
    (void)mnl_attr_parse_nested(nest, &Attributes::take, this);
  }

  [[nodiscard]] const nlattr* get(std::size_t type) const {
    return type < found_.size() ? found_.at(type) : nullptr;
  }
  [[nodiscard]] std::string text(std::size_t type) const {
    const nlattr* attribute = get(type);
    if (attribute == nullptr || mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0) return {};
    return mnl_attr_get_str(attribute);
  }
  [[nodiscard]] std::optional<IpAddress> address(std::size_t type) const {
    const nlattr* attribute = get(type);
    if (attribute == nullptr) return std::nullopt;
    const auto* data = static_cast<const std::byte*>(mnl_attr_get_payload(attribute));
    auto parsed = IpAddress::from_bytes({data, mnl_attr_get_payload_len(attribute)});
    return parsed ? std::optional(*parsed) : std::nullopt;
  }
  [[nodiscard]] std::optional<Mac> mac(std::size_t type) const {
    const nlattr* attribute = get(type);
    Mac mac;
    if (attribute == nullptr || mnl_attr_get_payload_len(attribute) != mac.bytes.size())
      return std::nullopt;
    std::memcpy(mac.bytes.data(), mnl_attr_get_payload(attribute), mac.bytes.size());
    return mac;
  }

 private:
  static int take(const nlattr* attribute, void* self) {
    auto& found = static_cast<Attributes*>(self)->found_;
    const auto type = static_cast<std::size_t>(mnl_attr_get_type(attribute));
    if (type < found.size() && found.at(type) == nullptr) found.at(type) = attribute;
    return MNL_CB_OK;
  }
  std::array<const nlattr*, 128> found_{};
};

template <class Header>
const Header* header_of(std::span<const std::byte> message) {
  if (message.size() < NLMSG_LENGTH(sizeof(Header))) return nullptr;
  return reinterpret_cast<const Header*>(message.data() + NLMSG_HDRLEN);
}

IfIndex index_of(int index) {
  return IfIndex{static_cast<std::uint32_t>(index)};
}

/// "pe42v" -> 42 and "v"; nothing for any other device.
std::optional<std::pair<Vni, std::string>> parse_name(const std::string& name) {
  if (!name.starts_with("pe")) return std::nullopt;
  const auto end = name.find_first_not_of("0123456789", 2);
  const auto vni = Vni::parse(name.substr(2, end == std::string::npos ? end : end - 2));
  if (!vni) return std::nullopt;
  return std::pair{*vni, end == std::string::npos ? std::string() : name.substr(end)};
}

std::optional<IpAddress> local_of(const Attributes& link) {
  const nlattr* info = link.get(IFLA_LINKINFO);
  if (info == nullptr) return std::nullopt;
  const nlattr* data = Attributes(info).get(IFLA_INFO_DATA);
  if (data == nullptr) return std::nullopt;
  const Attributes vxlan(data);
  const auto v4 = vxlan.address(IFLA_VXLAN_LOCAL);
  return v4 ? v4 : vxlan.address(IFLA_VXLAN_LOCAL6);
}

/// Which device of which mirror an index is; the indices tell.
struct Place {
  Vni vni;
  IfIndex bridge, vxlan, port;
};

const Place* find(const std::map<IfIndex, Place>& places, IfIndex index) {
  const auto found = places.find(index);
  return found == places.end() ? nullptr : &found->second;
}

using Fdb = std::map<std::pair<Vni, Mac>, IpAddress>;  ///< where FRR says that a MAC is

Result<Fdb> read_fdb(Session& session, const std::map<IfIndex, Place>& places, Contents& out) {
  Fdb fdb;
  const auto take = [&](std::span<const std::byte> message) {
    const auto* header = header_of<ndmsg>(message);
    const Place* place = header ? find(places, index_of(header->ndm_ifindex)) : nullptr;
    if (place == nullptr) return;
    const Attributes entry(message, sizeof(ndmsg));
    const auto mac = entry.mac(NDA_LLADDR);
    if (!mac || mac->is_multicast() || *mac == Mac{}) return;
    const IfIndex device = index_of(header->ndm_ifindex);
    const auto remote = entry.address(NDA_DST);
    if (device == place->vxlan && remote && (header->ndm_flags & NTF_EXT_LEARNED) != 0)
      fdb.insert_or_assign({place->vni, *mac}, *remote);
    const bool in_bridge = (header->ndm_flags & NTF_SELF) == 0;
    const bool fixed = (header->ndm_state & NUD_NOARP) != 0;
    if (device == place->port && in_bridge && fixed) out.ports[place->vni].insert(*mac);
  };
  auto done = session.dump(dump_request<ndmsg>(RTM_GETNEIGH, AF_BRIDGE), take, [&] {
    fdb.clear();
    out.ports.clear();
  });
  if (!done) return fail(std::move(done.error()));
  return fdb;
}

using Learnt = std::map<std::pair<Vni, Mac>, std::vector<IpAddress>>;

Result<void> read_neighbours(Session& session, int family, const std::map<IfIndex, Place>& places,
                             Contents& out, Learnt& all) {
  Learnt learnt;
  std::map<Vni, Addresses> local;
  const auto take = [&](std::span<const std::byte> message) {
    const auto* header = header_of<ndmsg>(message);
    const Place* place = header ? find(places, index_of(header->ndm_ifindex)) : nullptr;
    if (place == nullptr || index_of(header->ndm_ifindex) != place->bridge) return;
    const Attributes entry(message, sizeof(ndmsg));
    const auto mac = entry.mac(NDA_LLADDR);
    const auto address = entry.address(NDA_DST);
    if (!mac || !address || address->is_multicast()) return;
    if ((header->ndm_flags & NTF_EXT_LEARNED) != 0) {
      learnt[{place->vni, *mac}].push_back(*address);
    } else if ((header->ndm_state & NUD_PERMANENT) != 0) {
      local[place->vni][*mac].insert(*address);
    }
  };
  auto done = session.dump(dump_request<ndmsg>(RTM_GETNEIGH, family), take, [&] {
    learnt.clear();
    local.clear();
  });
  if (!done) return fail(std::move(done.error()));
  for (auto& [vni, addresses] : local) {
    for (auto& [mac, some] : addresses) out.local[vni][mac].merge(some);
  }
  for (auto& [key, addresses] : learnt) {
    auto& known = all[key];
    known.insert(known.end(), addresses.begin(), addresses.end());
  }
  return {};
}

}  // namespace

bool is_about_mirrors(std::span<const std::byte> datagram) {
  // Not by mnl_nlmsg_ok(), which takes a length of 2^31 and more for a negative one that fits.
  while (datagram.size() >= NLMSG_HDRLEN) {
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    const std::size_t size = message->nlmsg_len;
    if (size < NLMSG_HDRLEN || size > datagram.size()) return false;
    if (size >= NLMSG_LENGTH(sizeof(ndmsg))) {
      const auto* header = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
      if (MirrorDevices::owns(index_of(header->ndm_ifindex))) return true;
    }
    datagram = datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(size), datagram.size()));
  }
  return false;
}

Result<std::map<Vni, MirrorLinks>> read_mirrors(Session& session) {
  std::map<Vni, std::set<std::string>> ends;
  std::map<Vni, MirrorLinks> out;
  const auto take = [&](std::span<const std::byte> message) {
    const auto* header = header_of<ifinfomsg>(message);
    if (header == nullptr) return;
    const Attributes link(message, sizeof(ifinfomsg));
    const auto name = parse_name(link.text(IFLA_IFNAME));
    if (!name) return;
    const MirrorDevices device(name->first);
    const IfIndex index = index_of(header->ifi_index);
    if (index < device.bridge() || index > device.far()) return;  // somebody else's pe42
    MirrorLinks& mirror = out[name->first];
    ends[name->first].insert(name->second);
    if (index == device.vxlan()) mirror.local = local_of(link).value_or(IpAddress{});
    mirror.whole = ends[name->first].size() == 4;
  };
  auto done = session.dump(dump_request<ifinfomsg>(RTM_GETLINK, AF_UNSPEC), take, [&] {
    ends.clear();
    out.clear();
  });
  if (!done) return fail(std::move(done.error()));
  return out;
}

Result<Contents> read_contents(Session& session, const std::map<Vni, MirrorLinks>& mirrors) {
  Contents out;
  std::map<IfIndex, Place> places;
  for (const auto& [vni, links] : mirrors) {
    out.mirrors.emplace(vni, links.local);
    const MirrorDevices device(vni);
    const Place place{vni, device.bridge(), device.vxlan(), device.port()};
    for (const IfIndex index : {place.bridge, place.vxlan, place.port})
      places.emplace(index, place);
  }
  auto fdb = read_fdb(session, places, out);
  if (!fdb) return fail(std::move(fdb.error()));
  Learnt learnt;
  for (const int family : {AF_INET, AF_INET6}) {
    auto done = read_neighbours(session, family, places, out, learnt);
    if (!done) return fail(std::move(done.error()));
  }
  for (auto& [key, addresses] : learnt) {
    const auto vtep = fdb->find(key);
    // FRR enters the MAC and its addresses one after the other: soon they will be complete.
    if (vtep == fdb->end()) continue;
    out.remote.push_back({key.first, key.second, vtep->second, std::move(addresses)});
  }
  return out;
}

}  // namespace particle::overlay::evpn
