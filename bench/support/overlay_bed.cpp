// SPDX-License-Identifier: Apache-2.0
#include "support/overlay_bed.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <particle/addr.hpp>
#include <particle/link.hpp>
#include <particle/neigh.hpp>

#include "support/processes.hpp"

namespace particle::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTenantName = "overlay";
constexpr std::uint32_t kOverlayVni = 4100;
constexpr const char* kPool = "pool";
constexpr const char* kKeeper = "keeper";
constexpr std::uint16_t kPort = 7700;
constexpr IfIndex kBridge{2};  // in a VTEP's namespace
constexpr IfIndex kVxlan{3};
constexpr IfIndex kGuestEnd{2};

sockaddr_in socket_address(const IpAddress& address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  std::memcpy(&out.sin_addr, address.bytes().data(), sizeof out.sin_addr);
  return out;
}

/// Bound to the address, in the namespace.
Result<UniqueFd> open_bound(const NetNs& netns, int type, const IpAddress& address,
                            std::uint16_t port) {
  UniqueFd fd;
  auto done = netns.run([&]() -> Result<void> {
    fd = UniqueFd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    const auto name = socket_address(address, port);
    if (!fd.valid() || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
      return fail(Error::from_errno(errno, "bind " + address.to_string()));
    return {};
  });
  if (!done) return fail(std::move(done.error()));
  return fd;
}

std::string first_words(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    out.append(buffer.data(), got);
  ::pclose(pipe);
  return out;
}

/// Where the scheduler puts the two sides changes a round trip more than what lies between them.
void stay_on(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void)::sched_setaffinity(0, sizeof set, &set);
}

Message raised(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return encode_link_change(change);
}

Result<void> in_session(const NetNs& netns, const std::vector<Message>& messages) {
  auto session = netns.open_session();
  if (!session) return fail(std::move(session.error()));
  return session->apply(messages);
}

}  // namespace

Result<OverlayBed> OverlayBed::make(std::size_t nodes) {
  std::string run_dir = "/dev/shm/particle-bench.XXXXXX";
  if (::mkdtemp(run_dir.data()) == nullptr)
    return fail(Error::from_errno(errno, "make a directory below /dev/shm"));
  auto fleet = make_fleet(nodes, run_dir);
  if (!fleet) return fail(std::move(fleet.error()));
  return OverlayBed(*std::move(fleet), std::move(run_dir));
}

OverlayBed::~OverlayBed() {
  if (run_dir_.empty()) return;
  containers_.clear();
  for (std::size_t i = 0; i < fleet_.nodes.size(); ++i) {
    (void)remove_pool(i);
    (void)fleet_.nodes[i].node.delete_pool(kKeeper, true);
  }
  std::error_code ignored;
  fs::remove_all(run_dir_, ignored);
}

Result<void> OverlayBed::make_pool(std::size_t i, std::uint64_t endpoints, Attachment attachment) {
  const unsigned host_bits = std::max(8U, static_cast<unsigned>(std::bit_width(endpoints + 1)));
  PoolSpec spec;
  spec.name = kPool;
  spec.tenant = kTenantName;
  spec.vni = *Vni::from(kOverlayVni);
  spec.blocks = {{IpPrefix::containing(
                      IpAddress::parse("10.0.0.0")->plus(std::uint64_t{i} << host_bits).value(),
                      32 - host_bits),
                  std::nullopt}};
  spec.count = endpoints;
  spec.attachment = attachment;
  spec.underlay.address = fleet_.nodes[i].underlay;
  auto made = fleet_.nodes[i].node.create_pool(spec);
  if (!made) return fail(std::move(made.error()));
  auto netns = fleet_.nodes[i].node.open_pool_netns(kPool);
  if (!netns) return fail(std::move(netns.error()));
  pools_[i] = {std::move(made->pool), std::make_unique<NetNs>(*std::move(netns))};
  return {};
}

Result<void> OverlayBed::remove_pool(std::size_t i) {
  if (!pools_[i].netns) return {};
  pools_[i].netns.reset();
  auto done = fleet_.nodes[i].node.delete_pool(kPool, true);
  if (!done) return fail(std::move(done.error()));
  return {};
}

Result<void> OverlayBed::introduce(std::size_t i) {
  std::vector<Peer> peers;
  for (std::size_t k = 0; k < pools_.size(); ++k) {
    if (k == i || !pools_[k].netns) continue;
    const PoolInfo& pool = pools_[k].info;
    peers.push_back({pool.tenant, pool.vtep, pool.mac, pool.routes, {}});
  }
  auto done = fleet_.nodes[i].node.replace_peers(kTenantName, "bench", peers);
  if (!done) return fail(std::move(done.error()));
  return {};
}

Result<void> OverlayBed::make_all(std::uint64_t endpoints, Attachment attachment) {
  for (std::size_t i = 0; i < size(); ++i) {
    if (auto done = make_pool(i, endpoints, attachment); !done) return done;
  }
  for (std::size_t i = 0; i < size(); ++i) {
    if (auto done = introduce(i); !done) return done;
  }
  return {};
}

Result<void> OverlayBed::keep_vteps() {
  for (std::size_t i = 0; i < size(); ++i) {
    PoolSpec spec;
    spec.name = kKeeper;
    spec.tenant = kTenantName;
    spec.vni = *Vni::from(kOverlayVni);
    spec.blocks = {{IpPrefix::containing(
                        IpAddress::parse("10.250.0.0")->plus(std::uint64_t{i} * 4).value(), 30),
                    std::nullopt}};
    spec.isolation = Isolation::job;
    spec.underlay.address = fleet_.nodes[i].underlay;
    auto made = fleet_.nodes[i].node.create_pool(spec);
    if (!made) return fail(std::move(made.error()));
  }
  return {};
}

Result<void> OverlayBed::connect_all(std::size_t from, std::size_t to, std::uint64_t count) {
  const IpAddress target = *pools_[to].info.primary_v4;
  auto listener = open_bound(*pools_[to].netns, SOCK_STREAM, target, kPort);
  if (!listener) return fail(std::move(listener.error()));
  ::listen(listener->get(), static_cast<int>(count));
  std::vector<UniqueFd> clients;
  auto begun = pools_[from].netns->run([&]() -> Result<void> {
    const auto there = socket_address(target, kPort);
    for (std::uint64_t i = 0; i < count; ++i) {
      UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const auto own = socket_address(pools_[from].info.primary_v4->plus(i).value(), 0);
      if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
        return fail(Error::from_errno(errno, "bind an endpoint"));
      const int done = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&there), sizeof there);
      if (done != 0 && errno != EINPROGRESS) return fail(Error::from_errno(errno, "connect"));
      clients.push_back(std::move(fd));
    }
    return {};
  });
  if (!begun) return begun;
  for (const auto& client : clients) {
    pollfd wait{client.get(), POLLOUT, 0};
    int problem = 0;
    socklen_t size = sizeof problem;
    if (::poll(&wait, 1, 5000) != 1) return fail(Error::of(Errc::io, "a connection took over 5 s"));
    ::getsockopt(client.get(), SOL_SOCKET, SO_ERROR, &problem, &size);
    if (problem != 0) return fail(Error::from_errno(problem, "connect"));
  }
  return {};
}

Result<std::size_t> OverlayBed::count_entries(std::size_t i) {
  const PoolInfo& pool = pools_[i].info;
  const std::string in_pool = "nsenter --net=" + pool.netns_path;
  const std::string in_vtep = "nsenter --net=" + pool.vtep_path;
  const std::string lines =
      first_words(in_pool + " ip neigh show nud permanent; " + in_pool + " ip route show; " +
                  in_vtep + " bridge fdb show dev " + pool.vxlan + " | grep ' dst '");
  return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
}

Result<void> OverlayBed::add_container(std::size_t node, unsigned number) {
  auto fresh = create_netns({{"net/ipv6/conf/default/disable_ipv6", "1", true}});
  if (!fresh) return fail(std::move(fresh.error()));
  const IpAddress address = IpAddress::parse("10.200.0.0")->plus(number).value();
  const Mac mac = Mac::derive("bench container " + std::to_string(number));
  auto vtep = fleet_.nodes[node].node.open_vtep_netns(kTenantName);
  if (!vtep) return fail(std::move(vtep.error()));
  VethSpec veth;
  veth.name = "ct" + std::to_string(number);
  veth.index = IfIndex{100 + number};
  veth.master = kBridge;
  veth.peer_name = "eth0";
  veth.peer_index = kGuestEnd;
  veth.peer_mac = mac;
  veth.peer_netns_fd = fresh->netns.fd();
  veth.mtu = pools_[node].info.mtu;
  // As a pool's port: with flooding on, the bridge would copy to it what others send to remote MACs.
  LinkChange port;
  port.index = veth.index;
  port.port.emplace();
  port.port->learning = false;
  port.port->unicast_flood = false;
  const FdbSpec own_mac{.device = veth.index, .mac = mac, .remote = {}};
  if (auto done = in_session(*vtep, {encode_veth(veth), encode_link_change(port),
                                     encode_fdb(own_mac), raised(veth.index)});
      !done)
    return done;
  AddrSpec own;
  own.device = kGuestEnd;
  own.address = address;
  own.prefix_length = 24;
  own.no_prefix_route = false;
  const std::vector<Message> inside{raised(IfIndex{1}), raised(kGuestEnd), encode_addr(own)};
  if (auto done = fresh->session.apply(inside); !done) return done;
  containers_.push_back(
      std::make_unique<Container>(Container{std::move(fresh->netns), address, mac}));
  return {};
}

Result<void> OverlayBed::add_containers() {
  for (const auto& [node, number] : {std::pair{0U, 1U}, std::pair{0U, 2U}, std::pair{1U, 3U}}) {
    if (auto done = add_container(node, number); !done) return done;
  }
  for (const auto& [node, remote] : {std::pair{0U, 2U}, std::pair{1U, 0U}}) {
    auto vtep = fleet_.nodes[node].node.open_vtep_netns(kTenantName);
    if (!vtep) return fail(std::move(vtep.error()));
    const FdbSpec entry{.device = kVxlan,
                        .mac = containers_[remote]->mac,
                        .remote = fleet_.nodes[1 - node].underlay};
    if (auto done = in_session(*vtep, {encode_fdb(entry)}); !done) return done;
  }
  // Nobody floods here, so nobody can be asked: as an overlay's control plane would enter it.
  for (const auto& one : containers_) {
    std::vector<Message> known;
    for (const auto& other : containers_) {
      if (other != one) known.push_back(encode_neigh({kGuestEnd, other->address, other->mac}));
    }
    if (auto done = in_session(one->netns, known); !done) return done;
  }
  return {};
}

Path OverlayBed::pool_path() const {
  return {pools_[0].netns.get(), *pools_[0].info.primary_v4, pools_[1].netns.get(),
          *pools_[1].info.primary_v4};
}

Path OverlayBed::local_path() const {
  return {pools_[0].netns.get(), *pools_[0].info.primary_v4, pools_[0].netns.get(),
          pools_[0].info.primary_v4->plus(1).value()};
}

Path OverlayBed::container_path() const {
  return {&containers_[0]->netns, containers_[0]->address, &containers_[2]->netns,
          containers_[2]->address};
}

Path OverlayBed::bridge_path() const {
  return {&containers_[0]->netns, containers_[0]->address, &containers_[1]->netns,
          containers_[1]->address};
}

Result<double> iperf(const Path& path, bool udp, unsigned flows) {
  if (::access("/usr/bin/iperf3", X_OK) != 0)
    return fail(Error::of(Errc::not_found, "iperf3 is not there", "apt-get install iperf3"));
  static unsigned next_port = 5300;
  const std::string port = std::to_string(++next_port);
  const std::string log = "/dev/shm/particle-bench-iperf." + std::to_string(::getpid());
  auto server = start_in(
      *path.server, {"/usr/bin/iperf3", "-s", "-1", "-B", path.target.to_string(), "-p", port});
  if (!server) return fail(std::move(server.error()));
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  std::vector<std::string> words{"/usr/bin/iperf3",
                                 "-c",
                                 path.target.to_string(),
                                 "-p",
                                 port,
                                 "-B",
                                 path.source.to_string(),
                                 "-J",
                                 "-t",
                                 "1",
                                 "-P",
                                 std::to_string(flows),
                                 "--logfile",
                                 log};
  if (udp) words.insert(words.end(), {"-u", "-b", "0", "-l", "1300"});
  auto client = start_in(*path.client, words);
  if (!client) return fail(std::move(client.error()));
  auto ended = wait_for(*client, "iperf3");
  (void)wait_for(*server, "iperf3 -s");
  std::ifstream file(log);
  const auto report = Json::parse(file, nullptr, false);
  std::error_code ignored;
  fs::remove(log, ignored);
  if (!ended) return fail(std::move(ended.error()));
  if (!report.is_object() || !report.contains("end"))
    return fail(Error::of(Errc::io, "iperf3's report is not understood"));
  const auto& end = report["end"];
  if (udp) {
    // What was sent, less what did not arrive.
    const auto& sum = end["sum"];
    const double lost = sum.value("lost_percent", 0.0);
    return sum.value("bits_per_second", 0.0) * (1 - lost / 100) / 1e9;
  }
  return end["sum_received"].value("bits_per_second", 0.0) / 1e9;
}

Result<double> round_trip(const Path& path) {
  constexpr int kRounds = 4000;
  auto server = open_bound(*path.server, SOCK_DGRAM, path.target, kPort);
  if (!server) return fail(std::move(server.error()));
  auto client = open_bound(*path.client, SOCK_DGRAM, path.source, 0);
  if (!client) return fail(std::move(client.error()));
  const timeval limit{1, 0};
  for (const auto* fd : {&*server, &*client})
    ::setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const std::jthread echo([&] {
    stay_on(1);
    std::array<char, 64> buffer{};
    for (int i = 0; i < kRounds; ++i) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t got = ::recvfrom(server->get(), buffer.data(), buffer.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return;
      ::sendto(server->get(), buffer.data(), static_cast<std::size_t>(got), 0,
               reinterpret_cast<const sockaddr*>(&from), size);
    }
  });
  cpu_set_t before;
  ::sched_getaffinity(0, sizeof before, &before);
  stay_on(0);
  const auto there = socket_address(path.target, kPort);
  Series micros;
  std::array<char, 64> buffer{};
  for (int i = 0; i < kRounds; ++i) {
    const auto start = Clock::now();
    ::sendto(client->get(), buffer.data(), buffer.size(), 0,
             reinterpret_cast<const sockaddr*>(&there), sizeof there);
    if (::recv(client->get(), buffer.data(), buffer.size(), 0) < 0)
      return fail(Error::from_errno(errno, "no echo"));
    micros.add(to_ms(Clock::now() - start) * 1000);
  }
  ::sched_setaffinity(0, sizeof before, &before);
  return micros.median();
}

}  // namespace particle::bench
