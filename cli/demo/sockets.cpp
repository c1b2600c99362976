// SPDX-License-Identifier: Apache-2.0
#include "demo/sockets.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace particle::cli::demo {
namespace {

/// A socket address of either family.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress result;
  const auto bytes = address.bytes();
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.size = sizeof v6;
  }
  return result;
}

Result<IpAddress> to_ip_address(const SocketAddress& address) {
  std::array<std::byte, 16> bytes{};
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    std::memcpy(bytes.data(), &v4.sin_addr, 4);
    return IpAddress::from_bytes(std::span(bytes).first(4));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address.storage, sizeof v6);
  std::memcpy(bytes.data(), &v6.sin6_addr, 16);
  return IpAddress::from_bytes(bytes);
}

std::string endpoint_text(const IpAddress& address, std::uint16_t port) {
  const std::string ip = address.to_string();
  return (address.is_v4() ? ip : "[" + ip + "]") + ":" + std::to_string(port);
}

Result<UniqueFd> open_socket(const IpAddress& for_address) {
  const int family = address_family(for_address.family());
  UniqueFd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(Error::from_errno(errno, "open a TCP socket"));
  return fd;
}

Result<void> bind_to(const UniqueFd& fd, const IpAddress& address, std::uint16_t port) {
  // The server closes first, so its last connections still linger when the next listener comes.
  const int yes = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  auto name = to_socket_address(address, port);
  if (bind(fd.get(), name.get(), name.size) != 0) {
    return fail(Error::from_errno(errno, "bind " + endpoint_text(address, port)));
  }
  return {};
}

}  // namespace

Result<UniqueFd> open_listener(const IpAddress& address, std::uint16_t port) {
  auto fd = open_socket(address);
  if (!fd) return fd;
  if (auto done = bind_to(*fd, address, port); !done) return fail(std::move(done.error()));
  if (listen(fd->get(), 16) != 0) {
    return fail(Error::from_errno(errno, "listen on " + endpoint_text(address, port)));
  }
  return fd;
}

Result<UniqueFd> open_connection(const IpAddress* source, const IpAddress& target,
                                 std::uint16_t port) {
  auto fd = open_socket(target);
  if (!fd) return fd;
  if (source != nullptr) {
    if (auto done = bind_to(*fd, *source, 0); !done) return fail(std::move(done.error()));
  }
  auto name = to_socket_address(target, port);
  if (connect(fd->get(), name.get(), name.size) != 0 && errno != EINPROGRESS) {
    return fail(Error::from_errno(errno, "connect " + endpoint_text(target, port)));
  }
  return fd;
}

UniqueFd accept_connection(const UniqueFd& listener) {
  return UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

Result<IpAddress> peer_address(const UniqueFd& connection) {
  SocketAddress name;
  if (getpeername(connection.get(), name.get(), &name.size) != 0) {
    return fail(Error::from_errno(errno, "getpeername"));
  }
  return to_ip_address(name);
}

Result<IpAddress> local_address(const UniqueFd& connection) {
  SocketAddress name;
  if (getsockname(connection.get(), name.get(), &name.size) != 0) {
    return fail(Error::from_errno(errno, "getsockname"));
  }
  return to_ip_address(name);
}

int pending_error(const UniqueFd& connection) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(connection.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

}  // namespace particle::cli::demo
