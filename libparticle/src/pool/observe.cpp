// SPDX-License-Identifier: Apache-2.0
#include "pool/observe.hpp"

#include <linux/neighbour.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <tuple>

#include "netns/worker.hpp"

namespace particle {
namespace {

struct SocketDeleter {
  void operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }
};
struct CacheDeleter {
  void operator()(nl_cache* cache) const noexcept { nl_cache_free(cache); }
};
using SocketPtr = std::unique_ptr<nl_sock, SocketDeleter>;
using CachePtr = std::unique_ptr<nl_cache, CacheDeleter>;

constexpr int kDumpAttempts = 16;

Error libnl_error(int code, const std::string& operation) {
  // libnl keeps its own numbering; its text is the most that can be said.
  Error error = Error::of(code == -NLE_PERM ? Errc::permission_denied : Errc::kernel, operation);
  error.kernel_message = nl_geterror(code);
  return error;
}

Result<SocketPtr> connect_here() {
  SocketPtr socket(nl_socket_alloc());
  if (!socket) return fail(Error::of(Errc::exhausted, "allocate a netlink socket"));
  errno = 0;
  if (const int code = nl_connect(socket.get(), NETLINK_ROUTE); code < 0) {
    // libnl has no number of its own for want of descriptors.
    if (errno == EMFILE || errno == ENFILE)
      return fail(Error::from_errno(errno, "open a netlink socket"));
    return fail(libnl_error(code, "open a netlink socket"));
  }
  // 32 KiB per datagram saves system calls on large dumps; libnl's default is one page.
  nl_socket_set_msg_buf_size(socket.get(), 32 * 1024);
  return socket;
}

/// libnl's own functions, not its lookup by name: a static archive gives a program only the object
/// files that something refers to, and the caches register themselves in theirs.
using Allocate = int (*)(nl_sock*, int family, nl_cache**);

int allocate_links(nl_sock* socket, int family, nl_cache** cache) {
  return rtnl_link_alloc_cache(socket, family, cache);
}
int allocate_addresses(nl_sock* socket, int /*family*/, nl_cache** cache) {
  return rtnl_addr_alloc_cache(socket, cache);
}
int allocate_routes(nl_sock* socket, int family, nl_cache** cache) {
  return rtnl_route_alloc_cache(socket, family, 0, cache);
}
int allocate_neighbours(nl_sock* socket, int /*family*/, nl_cache** cache) {
  return rtnl_neigh_alloc_cache(socket, cache);
}
int allocate_fdb(nl_sock* socket, int family, nl_cache** cache) {
  if (const int code = nl_cache_alloc_name("route/neigh", cache); code < 0) return code;
  nl_cache_set_arg1(*cache, family);
  const int code = nl_cache_refill(socket, *cache);
  if (code < 0) nl_cache_free(*cache);
  return code;
}

Result<CachePtr> fill(nl_sock* socket, const char* kind, Allocate allocate, int family) {
  nl_cache* raw = nullptr;
  int code = -NLE_DUMP_INTR;
  for (int attempt = 0; attempt < kDumpAttempts && code == -NLE_DUMP_INTR; ++attempt) {
    code = allocate(socket, family, &raw);
  }
  if (code < 0) return fail(libnl_error(code, std::string("dump ") + kind));
  return CachePtr(raw);
}

template <class Visit>
void for_each(nl_cache* cache, Visit visit) {
  for (nl_object* object = nl_cache_get_first(cache); object != nullptr;
       object = nl_cache_get_next(object)) {
    visit(object);
  }
}

std::optional<IpAddress> to_ip(nl_addr* address) {
  if (address == nullptr) return std::nullopt;
  const auto* raw = static_cast<const std::byte*>(nl_addr_get_binary_addr(address));
  auto parsed = IpAddress::from_bytes({raw, nl_addr_get_len(address)});
  if (!parsed) return std::nullopt;
  return *parsed;
}

Mac to_mac(nl_addr* address) {
  Mac mac;
  if (address != nullptr && nl_addr_get_len(address) == mac.bytes.size()) {
    std::memcpy(mac.bytes.data(), nl_addr_get_binary_addr(address), mac.bytes.size());
  }
  return mac;
}

std::string text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

void read_links(nl_cache* cache, ObservedNamespace& out) {
  for_each(cache, [&](nl_object* object) {
    auto* link = reinterpret_cast<rtnl_link*>(object);
    out.links.push_back({.index = IfIndex{static_cast<std::uint32_t>(rtnl_link_get_ifindex(link))},
                         .name = text_or_empty(rtnl_link_get_name(link)),
                         .kind = text_or_empty(rtnl_link_get_type(link)),
                         .up = (rtnl_link_get_flags(link) & IFF_UP) != 0,
                         .mtu = rtnl_link_get_mtu(link),
                         .mac = to_mac(rtnl_link_get_addr(link)),
                         .master = IfIndex{static_cast<std::uint32_t>(rtnl_link_get_master(link))},
                         .alias = text_or_empty(rtnl_link_get_ifalias(link))});
  });
  std::sort(out.links.begin(), out.links.end(),
            [](const ObservedLink& a, const ObservedLink& b) { return a.index < b.index; });
}

void read_addresses(nl_cache* cache, ObservedNamespace& out) {
  for_each(cache, [&](nl_object* object) {
    auto* entry = reinterpret_cast<rtnl_addr*>(object);
    const auto address = to_ip(rtnl_addr_get_local(entry));
    if (!address) return;
    out.addresses.push_back(
        {.device = IfIndex{static_cast<std::uint32_t>(rtnl_addr_get_ifindex(entry))},
         .address = *address,
         .prefix_length = static_cast<unsigned>(rtnl_addr_get_prefixlen(entry)),
         .link_scope = rtnl_addr_get_scope(entry) != RT_SCOPE_UNIVERSE});
  });
  std::sort(out.addresses.begin(), out.addresses.end());
}

std::optional<RouteSpec> to_route(rtnl_route* route) {
  const auto type = rtnl_route_get_type(route);
  if (type != RTN_UNICAST && type != RTN_LOCAL) return std::nullopt;
  nl_addr* destination = rtnl_route_get_dst(route);
  if (destination == nullptr || rtnl_route_get_nnexthops(route) < 1) return std::nullopt;
  RouteSpec spec;
  spec.kind = type == RTN_LOCAL ? RouteKind::local : RouteKind::unicast;
  const auto family = rtnl_route_get_family(route) == AF_INET ? Family::v4 : Family::v6;
  const auto network = to_ip(destination);  // absent for a default route
  const IpAddress zero = family == Family::v4 ? IpAddress{} : *IpAddress::parse("::");
  spec.destination =
      IpPrefix::containing(network.value_or(zero), nl_addr_get_prefixlen(destination));
  rtnl_nexthop* hop = rtnl_route_nexthop_n(route, 0);
  spec.device = IfIndex{static_cast<std::uint32_t>(rtnl_route_nh_get_ifindex(hop))};
  spec.gateway = to_ip(rtnl_route_nh_get_gateway(hop));
  spec.onlink = (rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK) != 0;
  spec.preferred_source = to_ip(rtnl_route_get_pref_src(route));
  return spec;
}

void read_routes(nl_cache* cache, ObservedNamespace& out) {
  for_each(cache, [&](nl_object* object) {
    if (auto route = to_route(reinterpret_cast<rtnl_route*>(object)))
      out.routes.push_back(*std::move(route));
  });
  std::sort(out.routes.begin(), out.routes.end(), [](const RouteSpec& a, const RouteSpec& b) {
    return std::tie(a.destination, a.kind) < std::tie(b.destination, b.kind);
  });
}

void read_neighbours(nl_cache* cache, ObservedNamespace& out) {
  for_each(cache, [&](nl_object* object) {
    auto* entry = reinterpret_cast<rtnl_neigh*>(object);
    const auto address = to_ip(rtnl_neigh_get_dst(entry));
    if (!address || (rtnl_neigh_get_state(entry) & NUD_PERMANENT) == 0) return;
    out.neighbours.push_back(
        {.device = IfIndex{static_cast<std::uint32_t>(rtnl_neigh_get_ifindex(entry))},
         .address = *address,
         .mac = to_mac(rtnl_neigh_get_lladdr(entry))});
  });
}

void read_fdb(nl_cache* cache, ObservedNamespace& out) {
  for_each(cache, [&](nl_object* object) {
    auto* entry = reinterpret_cast<rtnl_neigh*>(object);
    if (rtnl_neigh_get_family(entry) != AF_BRIDGE) return;
    const auto remote = to_ip(rtnl_neigh_get_dst(entry));
    const bool in_bridge =
        rtnl_neigh_get_master(entry) != 0 && (rtnl_neigh_get_flags(entry) & NTF_SELF) == 0;
    const bool fixed = (rtnl_neigh_get_state(entry) & (NUD_NOARP | NUD_PERMANENT)) != 0;
    if (!remote && !(in_bridge && fixed)) return;
    out.fdb.push_back({.device = IfIndex{static_cast<std::uint32_t>(rtnl_neigh_get_ifindex(entry))},
                       .mac = to_mac(rtnl_neigh_get_lladdr(entry)),
                       .remote = remote});
  });
}

using Fill = void (*)(nl_cache*, ObservedNamespace&);
struct Dump {
  const char* kind;
  Allocate allocate;
  int family;
  Fill read;
};

Result<ObservedNamespace> observe_with(const NetNs& netns, const std::vector<Dump>& dumps) {
  ObservedNamespace observed;
  auto inode = netns.inode();
  if (!inode) return fail(std::move(inode.error()));
  observed.exists = true;
  observed.inode = *inode;
  auto done = detail::look_in_netns(netns.fd(), [&]() -> Result<void> {
    auto socket = connect_here();
    if (!socket) return fail(std::move(socket.error()));
    for (const auto& dump : dumps) {
      auto cache = fill(socket->get(), dump.kind, dump.allocate, dump.family);
      if (!cache) return fail(std::move(cache.error()));
      dump.read(cache->get(), observed);
    }
    return {};
  });
  if (!done) return fail(std::move(done.error()));
  return observed;
}

}  // namespace

const ObservedLink* ObservedNamespace::link(const std::string& name) const {
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&](const ObservedLink& l) { return l.name == name; });
  return found != links.end() ? &*found : nullptr;
}

const ObservedLink* ObservedNamespace::link(IfIndex index) const {
  const auto found = std::find_if(links.begin(), links.end(),
                                  [&](const ObservedLink& l) { return l.index == index; });
  return found != links.end() ? &*found : nullptr;
}

bool ObservedNamespace::has_address(IfIndex device, const IpAddress& address) const {
  const auto key = std::tie(device, address);
  const auto found = std::lower_bound(
      addresses.begin(), addresses.end(), key,
      [](const ObservedAddress& a, auto& k) { return std::tie(a.device, a.address) < k; });
  return found != addresses.end() && std::tie(found->device, found->address) == key;
}

const RouteSpec* ObservedNamespace::route(const IpPrefix& destination, RouteKind kind) const {
  const auto found = std::find_if(routes.begin(), routes.end(), [&](const RouteSpec& r) {
    return r.destination == destination && r.kind == kind;
  });
  return found != routes.end() ? &*found : nullptr;
}

Result<ObservedNamespace> observe(const NetNs& netns) {
  return observe_with(netns, {{"links", allocate_links, AF_UNSPEC, read_links},
                              {"addresses", allocate_addresses, AF_UNSPEC, read_addresses},
                              {"IPv4 routes", allocate_routes, AF_INET, read_routes},
                              {"IPv6 routes", allocate_routes, AF_INET6, read_routes},
                              {"neighbours", allocate_neighbours, AF_UNSPEC, read_neighbours},
                              {"FDB entries", allocate_fdb, AF_BRIDGE, read_fdb}});
}

Result<ObservedNamespace> observe_links(const NetNs& netns) {
  return observe_with(netns, {{"links", allocate_links, AF_UNSPEC, read_links},
                              {"addresses", allocate_addresses, AF_UNSPEC, read_addresses}});
}

Result<std::optional<IfIndex>> default_route_device(const NetNs& netns) {
  auto observed = observe_with(netns, {{"IPv4 routes", allocate_routes, AF_INET, read_routes},
                                       {"IPv6 routes", allocate_routes, AF_INET6, read_routes}});
  if (!observed) return fail(std::move(observed.error()));
  for (const auto& route : observed->routes) {
    if (route.destination.length() == 0 && route.device.valid())
      return std::optional<IfIndex>(route.device);
  }
  return std::optional<IfIndex>{};
}

}  // namespace particle
