// SPDX-License-Identifier: Apache-2.0
#include "support/capture.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <span>
#include <sstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::size_t kEthernetHeader = 14;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kVxlanHeader = 8;
constexpr std::uint16_t kVxlanPort = 4789;

std::uint16_t read16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8U | bytes[at + 1]);
}

std::optional<IpAddress> read_ip(Bytes bytes, std::size_t at, std::size_t length) {
  return must(IpAddress::from_bytes(std::as_bytes(bytes.subspan(at, length))));
}

struct Parsed {
  Frame frame;
  Bytes payload;  ///< of the IP packet; empty for other frames
};

std::optional<Parsed> parse(Bytes bytes) {
  if (bytes.size() < kEthernetHeader) return std::nullopt;
  Parsed out;
  std::copy_n(bytes.begin(), 6, out.frame.to.bytes.begin());
  std::copy_n(bytes.begin() + 6, 6, out.frame.from.bytes.begin());
  out.frame.ether_type = read16(bytes, 12);
  const Bytes packet = bytes.subspan(kEthernetHeader);
  if (out.frame.ether_type == ETH_P_IP) {
    if (packet.size() < 20) return std::nullopt;
    const std::size_t header = (packet[0] & 0x0FU) * 4U;
    if (header < 20 || packet.size() < header) return std::nullopt;
    out.frame.protocol = packet[9];
    out.frame.ip_from = read_ip(packet, 12, 4);
    out.frame.ip_to = read_ip(packet, 16, 4);
    out.payload = packet.subspan(header);
  } else if (out.frame.ether_type == ETH_P_IPV6) {
    if (packet.size() < 40) return std::nullopt;
    out.frame.protocol = packet[6];
    out.frame.ip_from = read_ip(packet, 8, 16);
    out.frame.ip_to = read_ip(packet, 24, 16);
    out.payload = packet.subspan(40);
  }
  return out;
}

[[noreturn]] void give_up_capture(const std::string& what) {
  throw std::runtime_error("capture: " + what + ": " + std::strerror(errno));
}

}  // namespace

std::optional<Frame> parse_frame(const std::vector<std::uint8_t>& bytes) {
  const auto parsed = parse(bytes);
  if (!parsed) return std::nullopt;
  return parsed->frame;
}

std::optional<VxlanPacket> parse_vxlan(const std::vector<std::uint8_t>& bytes) {
  const auto outer = parse(bytes);
  if (!outer || outer->frame.protocol != IPPROTO_UDP) return std::nullopt;
  const Bytes udp = outer->payload;
  if (udp.size() < kUdpHeader + kVxlanHeader || read16(udp, 2) != kVxlanPort) return std::nullopt;
  const Bytes vxlan = udp.subspan(kUdpHeader);
  const auto inner = parse(vxlan.subspan(kVxlanHeader));
  if (!inner) return std::nullopt;
  const std::uint32_t vni = static_cast<std::uint32_t>(read16(vxlan, 4)) << 8U | vxlan[6];
  return VxlanPacket{outer->frame, vni, inner->frame};
}

std::string Frame::to_string() const {
  std::ostringstream text;
  text << from.to_string() << " > " << to.to_string() << " type 0x" << std::hex << ether_type
       << std::dec;
  if (ip_from) text << " " << ip_from->to_string() << " > " << ip_to->to_string();
  return text.str();
}

std::string VxlanPacket::to_string() const {
  return outer.to_string() + " VNI " + std::to_string(vni) + " [" + inner.to_string() + "]";
}

Capture::Capture(const NetNs& netns, IfIndex device)
    : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_.valid()) give_up_capture("eventfd");
  must(netns.run([&]() -> Result<void> {
    // Protocol 0: deaf until it is bound to the one device that matters.
    socket_ = UniqueFd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.valid()) return fail(Error::from_errno(errno, "packet socket"));
    return {};
  }));
  const int buffer = 8 << 20;
  if (setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0) {
    (void)setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(device.value);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    give_up_capture("bind");
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { read_until(stop); });
}

Capture::~Capture() {
  thread_.request_stop();
  (void)eventfd_write(wake_.get(), 1);
}

bool Capture::read_one() {
  std::vector<std::uint8_t> buffer(256);  // every header, and no more
  const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return false;
  buffer.resize(static_cast<std::size_t>(got));
  if (auto packet = parse_vxlan(buffer)) packets_.push_back(*std::move(packet));
  return true;
}

void Capture::read_until(const std::stop_token& stop) {
  std::array<pollfd, 2> entries{pollfd{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  while (!stop.stop_requested()) {
    if (poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
    while (read_one()) {
    }
  }
}

std::vector<VxlanPacket> Capture::finish() {
  // A veth hands frames over within microseconds; late ones (a FIN's ack) are no loss.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  thread_.request_stop();
  (void)eventfd_write(wake_.get(), 1);
  thread_.join();
  while (read_one()) {
  }
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  if (getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &length) != 0) {
    give_up_capture("statistics");
  }
  if (stats.tp_drops > 0) {
    throw std::runtime_error("capture: " + std::to_string(stats.tp_drops) + " frames dropped");
  }
  return std::move(packets_);
}

}  // namespace particle::test
