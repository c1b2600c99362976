// SPDX-License-Identifier: Apache-2.0
#include "support/raw_floor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "harness/stats.hpp"

namespace particle::bench {
namespace {

constexpr std::uint32_t kLo = 1;
constexpr std::uint32_t kEth0 = 2;
constexpr std::uint32_t kSubnet = 0x0A020000;  // 10.2.0.0/16
constexpr std::array<std::uint8_t, 6> kMac{0x02, 0, 0, 0, 0, 0x77};
constexpr const char* kAlias = "particle pool=floor tenant=bench vni=4001";

struct SocketCloser {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};
using Socket = std::unique_ptr<mnl_socket, SocketCloser>;

Error failed(const char* what) {
  return Error::from_errno(errno, what);
}

/// A socket of the calling thread's namespace, with the options that libparticle sets.
Result<Socket> open_socket() {
  Socket socket(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (!socket || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
    return fail(failed("floor: open a netlink socket"));
  }
  int yes = 1;
  for (const int option : {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK}) {
    mnl_socket_setsockopt(socket.get(), option, &yes, sizeof yes);
  }
  return socket;
}

/// Messages one after the other in one buffer.
class Batch {
 public:
  explicit Batch(std::size_t messages) : buffer_(messages * kPerMessage + 4096) {}

  nlmsghdr* begin(std::uint16_t type, std::uint16_t flags) {
    nlmsghdr* header = mnl_nlmsg_put_header(buffer_.data() + used_);
    header->nlmsg_type = type;
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header->nlmsg_seq = ++sequence_;
    last_ = header;
    return header;
  }
  void end() { used_ += (last_->nlmsg_len + 3U) & ~3U; }

  /// Sends everything, the last message asking for an ack, and waits for that.
  Result<void> send(const Socket& socket) {
    last_->nlmsg_flags = static_cast<std::uint16_t>(last_->nlmsg_flags | NLM_F_ACK);
    if (mnl_socket_sendto(socket.get(), buffer_.data(), used_) < 0)
      return fail(failed("floor: send"));
    std::array<char, 8192> reply{};
    for (;;) {
      const ssize_t size = mnl_socket_recvfrom(socket.get(), reply.data(), reply.size());
      if (size < 0) return fail(failed("floor: receive"));
      const int state =
          mnl_cb_run(reply.data(), static_cast<std::size_t>(size), 0, 0, nullptr, nullptr);
      if (state < 0) return fail(failed("floor: the kernel refused a message"));
      if (state == MNL_CB_STOP) return {};
    }
  }

 private:
  static constexpr std::size_t kPerMessage = 64;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::uint32_t sequence_ = 0;
  nlmsghdr* last_ = nullptr;
};

ifinfomsg* put_link(nlmsghdr* header, std::uint32_t index) {
  auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
  info->ifi_family = AF_UNSPEC;
  info->ifi_index = static_cast<int>(index);
  return info;
}

void put_veth(Batch& batch, const FloorSpec& spec, int guest_fd) {
  nlmsghdr* header = batch.begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  put_link(header, spec.port_index);
  mnl_attr_put_strz(header, IFLA_IFNAME, spec.port.c_str());
  mnl_attr_put_u32(header, IFLA_MTU, spec.mtu);
  mnl_attr_put_u32(header, IFLA_MASTER, spec.bridge_index);
  nlattr* link_info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
  auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
  info->ifi_index = static_cast<int>(kEth0);
  mnl_attr_put_strz(header, IFLA_IFNAME, "eth0");
  mnl_attr_put_u32(header, IFLA_MTU, spec.mtu);
  mnl_attr_put(header, IFLA_ADDRESS, kMac.size(), kMac.data());
  mnl_attr_put_u32(header, IFLA_NET_NS_FD, static_cast<std::uint32_t>(guest_fd));
  mnl_attr_nest_end(header, peer);
  mnl_attr_nest_end(header, data);
  mnl_attr_nest_end(header, link_info);
  batch.end();
}

void put_attach(Batch& batch, const FloorSpec& spec) {
  nlmsghdr* header = batch.begin(RTM_NEWLINK, 0);
  ifinfomsg* info = put_link(header, spec.port_index);
  info->ifi_flags = info->ifi_change = IFF_UP;
  mnl_attr_put_strz(header, IFLA_IFALIAS, kAlias);
  nlattr* link_info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_SLAVE_KIND, "bridge");
  nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_SLAVE_DATA);
  mnl_attr_put_u8(header, IFLA_BRPORT_LEARNING, 0);
  mnl_attr_put_u8(header, IFLA_BRPORT_UNICAST_FLOOD, 0);
  mnl_attr_put_u8(header, IFLA_BRPORT_ISOLATED, 1);
  mnl_attr_nest_end(header, data);
  mnl_attr_nest_end(header, link_info);
  batch.end();
}

void put_own_fdb(Batch& batch, const FloorSpec& spec) {
  nlmsghdr* header = batch.begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  auto* neighbour = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ndmsg)));
  neighbour->ndm_family = AF_BRIDGE;
  neighbour->ndm_ifindex = static_cast<int>(spec.port_index);
  neighbour->ndm_state = NUD_NOARP;
  neighbour->ndm_flags = NTF_MASTER;
  mnl_attr_put(header, NDA_LLADDR, kMac.size(), kMac.data());
  batch.end();
}

void put_raise(Batch& batch, std::uint32_t index, const char* alias) {
  nlmsghdr* header = batch.begin(RTM_NEWLINK, 0);
  ifinfomsg* info = put_link(header, index);
  info->ifi_flags = info->ifi_change = IFF_UP;
  if (alias != nullptr) mnl_attr_put_strz(header, IFLA_IFALIAS, alias);
  batch.end();
}

/// Asking for a device makes the kernel act on its carrier at once, so that a pool which is there carries
/// traffic (net/core/rtnetlink.c:rtnl_getlink calls linkwatch_sync_dev).
void put_query(Batch& batch, std::uint32_t index) {
  put_link(batch.begin(RTM_GETLINK, 0), index);
  batch.end();
}

void put_address(Batch& batch, std::uint32_t address) {
  nlmsghdr* header = batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  auto* info = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifaddrmsg)));
  info->ifa_family = AF_INET;
  info->ifa_prefixlen = 32;
  info->ifa_index = kEth0;
  mnl_attr_put_u32(header, IFA_LOCAL, htonl(address));
  mnl_attr_put_u32(header, IFA_ADDRESS, htonl(address));
  batch.end();
}

/// The subnet: on-link through eth0, or (AnyIP) every address of it as this host's.
void put_route(Batch& batch, bool local) {
  nlmsghdr* header = batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  auto* route = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(rtmsg)));
  route->rtm_family = AF_INET;
  route->rtm_dst_len = 16;
  route->rtm_table = local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
  route->rtm_protocol = RTPROT_STATIC;
  route->rtm_scope = local ? RT_SCOPE_HOST : RT_SCOPE_LINK;
  route->rtm_type = local ? RTN_LOCAL : RTN_UNICAST;
  mnl_attr_put_u32(header, RTA_DST, htonl(kSubnet));
  mnl_attr_put_u32(header, RTA_OIF, local ? kLo : kEth0);
  if (!local) mnl_attr_put_u32(header, RTA_PREFSRC, htonl(kSubnet + 1));
  batch.end();
}

Result<void> write_sysctl(const char* path, const char* value) {
  const UniqueFd file(open(path, O_WRONLY | O_CLOEXEC));
  if (!file.valid() || write(file.get(), value, std::strlen(value)) < 0) {
    return fail(failed("floor: write a sysctl"));
  }
  return {};
}

/// What needs a thread of its own: a namespace, and sockets in two.
struct Opened {
  UniqueFd guest;
  Socket in_guest;
  Socket in_vtep;
};

Result<Opened> open_all(const FloorSpec& spec) {
  Opened opened;
  if (unshare(CLONE_NEWNET) != 0) return fail(failed("floor: unshare"));
  auto done = write_sysctl("/proc/sys/net/ipv4/ip_forward", "0");
  if (done) done = write_sysctl("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
  if (!done) return fail(std::move(done.error()));
  auto in_guest = open_socket();
  if (!in_guest) return fail(std::move(in_guest.error()));
  opened.in_guest = std::move(*in_guest);
  opened.guest = UniqueFd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));

  const UniqueFd vtep(open(spec.vtep_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!vtep.valid() || setns(vtep.get(), CLONE_NEWNET) != 0)
    return fail(failed("floor: enter VTEP"));
  auto in_vtep = open_socket();
  if (!in_vtep) return fail(std::move(in_vtep.error()));
  opened.in_vtep = std::move(*in_vtep);
  return opened;
}

Result<void> pin(const UniqueFd& netns, const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  const std::string source = "/proc/self/fd/" + std::to_string(netns.get());
  if (!file.valid() || mount(source.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return fail(failed("floor: pin"));
  }
  return {};
}

Result<void> configure_vtep(const FloorSpec& spec, const Opened& opened) {
  Batch batch(8);
  put_veth(batch, spec, opened.guest.get());
  put_attach(batch, spec);
  put_own_fdb(batch, spec);
  put_query(batch, spec.port_index);
  return batch.send(opened.in_vtep);
}

/// SO_SNDBUF takes about 4,000 addresses at once.
constexpr std::uint64_t kAddressesPerSend = 3000;

Result<void> configure_guest(const FloorSpec& spec, const Opened& opened) {
  const std::uint64_t addresses = spec.anyip ? 1 : spec.count;
  for (std::uint64_t first = 0; first < addresses; first += kAddressesPerSend) {
    const std::uint64_t end = std::min(first + kAddressesPerSend, addresses);
    Batch batch(end - first + 8);
    if (first == 0) {
      put_raise(batch, kLo, nullptr);
      put_raise(batch, kEth0, kAlias);
    }
    for (std::uint64_t i = first; i < end; ++i) {
      put_address(batch, kSubnet + 1 + static_cast<std::uint32_t>(i));
    }
    if (end == addresses) {
      put_route(batch, false);
      if (spec.anyip) put_route(batch, true);
      put_query(batch, kEth0);
    }
    if (auto done = batch.send(opened.in_guest); !done) return done;
  }
  return {};
}

/// The milliseconds since the last call.
class Lap {
 public:
  double operator()() {
    const auto now = Clock::now();
    const double took = to_ms(now - last_);
    last_ = now;
    return took;
  }

 private:
  Clock::time_point last_ = Clock::now();
};

Result<FloorTimes> create(const FloorSpec& spec) {
  FloorTimes times;
  Lap lap;
  std::optional<Result<Opened>> opened;
  std::thread([&] { opened.emplace(open_all(spec)); }).join();
  if (!*opened) return fail(std::move(opened->error()));
  times.namespace_and_sockets = lap();
  if (auto done = pin((*opened)->guest, spec.pin); !done) return fail(std::move(done.error()));
  times.pin = lap();
  auto done = configure_vtep(spec, **opened);
  times.vtep = lap();
  if (done) done = configure_guest(spec, **opened);
  times.guest = lap();
  if (!done) return fail(std::move(done.error()));
  return times;
}

Result<void> remove_port(const FloorSpec& spec) {
  const UniqueFd vtep(open(spec.vtep_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!vtep.valid() || setns(vtep.get(), CLONE_NEWNET) != 0)
    return fail(failed("floor: enter VTEP"));
  auto socket = open_socket();
  if (!socket) return fail(std::move(socket.error()));
  Batch batch(1);
  put_link(batch.begin(RTM_DELLINK, 0), spec.port_index);
  batch.end();
  return batch.send(*socket);
}

}  // namespace

Result<FloorTimes> floor_create(const FloorSpec& spec) {
  Lap lap;
  auto times = create(spec);
  if (times) times->total = lap();  // closing the sockets included
  return times;
}

Result<void> floor_delete(const FloorSpec& spec) {
  std::optional<Result<void>> done;
  std::thread([&] { done.emplace(remove_port(spec)); }).join();
  umount2(spec.pin.c_str(), MNT_DETACH);
  unlink(spec.pin.c_str());
  return std::move(*done);
}

}  // namespace particle::bench
