// SPDX-License-Identifier: Apache-2.0
#include "support/traffic.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

using Clock = std::chrono::steady_clock;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress out;
  if (address.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&out.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    std::memcpy(&in->sin_addr, address.bytes().data(), sizeof in->sin_addr);
    out.length = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&out.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    std::memcpy(&in->sin6_addr, address.bytes().data(), sizeof in->sin6_addr);
    out.length = sizeof *in;
  }
  return out;
}

std::uint16_t port_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
}

IpAddress address_of(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr;
    return must(IpAddress::from_bytes(std::as_bytes(std::span(&in, 1))));
  }
  const auto& in = reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr;
  return must(IpAddress::from_bytes(std::as_bytes(std::span(&in, 1))));
}

[[noreturn]] void give_up_traffic(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

void bind_to(const UniqueFd& socket, const IpAddress& address, std::uint16_t port) {
  const SocketAddress local = to_socket_address(address, port);
  if (bind(socket.get(), local.get(), local.length) != 0)
    give_up_traffic("bind " + address.to_string());
}

std::uint16_t local_port(const UniqueFd& socket) {
  SocketAddress local;
  local.length = sizeof local.storage;
  if (getsockname(socket.get(), local.get(), &local.length) != 0) give_up_traffic("getsockname");
  return port_of(local);
}

bool wait_for(const UniqueFd& socket, short events, Clock::time_point deadline) {
  pollfd entry{.fd = socket.get(), .events = events, .revents = 0};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) == 1;
}

Error failure(int error, const std::string& what) {
  return Error::from_errno(error, what);
}

}  // namespace

UniqueFd open_socket(const NetNs& netns, Family family, int type) {
  UniqueFd socket;
  must(netns.run([&]() -> Result<void> {
    socket = UniqueFd(::socket(address_family(family), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) return fail(Error::from_errno(errno, "socket"));
    return {};
  }));
  if (family == Family::v6) {
    // Otherwise the wildcard socket would claim the IPv4 port as well.
    const int on = 1;
    (void)setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  return socket;
}

TokenServer::TokenServer(const NetNs& netns, std::string token,
                         const std::vector<IpAddress>& addresses)
    : token_(std::move(token)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_.valid()) give_up_traffic("eventfd");
  for (const IpAddress& address : addresses) listen(netns, address);
  if (addresses.empty()) {
    listen(netns, IpAddress{});
    listen(netns, must(IpAddress::parse("::")));
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
}

TokenServer::~TokenServer() {
  thread_.request_stop();
  (void)eventfd_write(wake_.get(), 1);
  thread_.join();
}

void TokenServer::listen(const NetNs& netns, const IpAddress& address) {
  UniqueFd socket = open_socket(netns, address.family(), SOCK_STREAM);
  bind_to(socket, address, port_);
  if (::listen(socket.get(), 64) != 0) give_up_traffic("listen");
  if (port_ == 0) port_ = local_port(socket);
  listeners_.push_back(std::move(socket));
}

void TokenServer::serve(const std::stop_token& stop) {
  std::vector<pollfd> entries{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  for (const UniqueFd& socket : listeners_) {
    entries.push_back({.fd = socket.get(), .events = POLLIN, .revents = 0});
  }
  while (!stop.stop_requested()) {
    if (poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
    for (const UniqueFd& socket : listeners_) {
      SocketAddress client;
      client.length = sizeof client.storage;
      const UniqueFd accepted(accept4(socket.get(), client.get(), &client.length, SOCK_CLOEXEC));
      if (!accepted.valid()) continue;
      const std::string answer = token_ + " " + address_of(client).to_string();
      (void)send(accepted.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }
}

Result<std::string> ask(const NetNs& netns, const std::optional<IpAddress>& from,
                        const IpAddress& to, std::uint16_t port, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  const std::string what = (from ? from->to_string() + " -> " : "") + to.to_string();
  const UniqueFd socket = open_socket(netns, to.family(), SOCK_STREAM);
  if (from) {
    const SocketAddress local = to_socket_address(*from, 0);
    if (bind(socket.get(), local.get(), local.length) != 0)
      return fail(failure(errno, "bind " + what));
  }
  const SocketAddress remote = to_socket_address(to, port);
  if (connect(socket.get(), remote.get(), remote.length) != 0) {
    if (errno != EINPROGRESS) return fail(failure(errno, "connect " + what));
    if (!wait_for(socket, POLLOUT, deadline)) return fail(failure(ETIMEDOUT, "connect " + what));
    int error = 0;
    socklen_t length = sizeof error;
    (void)getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail(failure(error, "connect " + what));
  }
  std::string answer;
  while (wait_for(socket, POLLIN, deadline)) {
    char buffer[256];
    const ssize_t got = recv(socket.get(), buffer, sizeof buffer, 0);
    if (got == 0) return answer;
    if (got < 0) return fail(failure(errno, "receive " + what));
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  return fail(failure(ETIMEDOUT, "receive " + what));
}

Datagrams::Datagrams(const NetNs& netns, const IpAddress& address)
    : family_(address.family()), socket_(open_socket(netns, address.family(), SOCK_DGRAM)) {
  const int level = family_ == Family::v4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int option = family_ == Family::v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER;
  static_assert(IP_PMTUDISC_DO == IPV6_PMTUDISC_DO);
  const int value = IP_PMTUDISC_DO;
  if (setsockopt(socket_.get(), level, option, &value, sizeof value) != 0)
    give_up_traffic("PMTUDISC_DO");
  bind_to(socket_, address, 0);
  port_ = local_port(socket_);
}

Result<void> Datagrams::send_packet(const IpAddress& to, std::uint16_t port,
                                    std::size_t packet_size) {
  const std::vector<char> payload(packet_size - headers(), 'p');
  const SocketAddress remote = to_socket_address(to, port);
  if (sendto(socket_.get(), payload.data(), payload.size(), 0, remote.get(), remote.length) < 0) {
    return fail(failure(errno, "send " + std::to_string(packet_size) + " bytes"));
  }
  return {};
}

std::optional<std::size_t> Datagrams::receive_packet(std::chrono::milliseconds limit) {
  if (!wait_for(socket_, POLLIN, Clock::now() + limit)) return std::nullopt;
  std::vector<char> buffer(70000);
  const ssize_t got = recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return std::nullopt;
  return static_cast<std::size_t>(got) + headers();
}

}  // namespace particle::test
