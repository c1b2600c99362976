// SPDX-License-Identifier: Apache-2.0
#include "wire/address.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <span>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace particle::fleet {
namespace {

constexpr int kBacklog = 128;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress socket_address(const TcpAddress& address) {
  SocketAddress out;
  const auto bytes = address.ip.bytes();
  if (address.ip.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&out.storage, &in, sizeof in);
    out.length = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port);
    std::memcpy(&in.sin6_addr, bytes.data(), bytes.size());
    std::memcpy(&out.storage, &in, sizeof in);
    out.length = sizeof in;
  }
  return out;
}

template <class Number>
std::optional<TcpAddress> tcp_address(const Number& ip, in_port_t port) {
  const auto address = IpAddress::from_bytes(std::as_bytes(std::span(&ip, 1)));
  if (!address) return std::nullopt;
  return TcpAddress{*address, ntohs(port)};
}

std::optional<TcpAddress> tcp_address(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof in);
    return tcp_address(in.sin_addr, in.sin_port);
  }
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof in);
    return tcp_address(in.sin6_addr, in.sin6_port);
  }
  return std::nullopt;
}

Result<SocketAddress> socket_address(const std::string& path) {
  sockaddr_un un{};
  if (path.empty() || path.size() >= sizeof un.sun_path) {
    return fail(
        Error::of(Errc::invalid_argument, "socket " + path, "a socket's path has 1 to 107 bytes"));
  }
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.c_str(), path.size() + 1);
  SocketAddress out;
  std::memcpy(&out.storage, &un, sizeof un);
  out.length = sizeof un;
  return out;
}

void set_option(int fd, int level, int name, int value) {
  ::setsockopt(fd, level, name, &value, sizeof value);
}

/// A cable that is pulled says nothing: 2 s of silence, then a probe a second.
void watch_peer(int fd) {
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 2);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

Result<void> finish_connecting(int fd, const std::string& what,
                               std::chrono::milliseconds patience) {
  pollfd wait{fd, POLLOUT, 0};
  const int ready = ::poll(&wait, 1, static_cast<int>(patience.count()));
  if (ready == 0) return fail(Error::from_errno(ETIMEDOUT, what, "is the node up?"));
  int error = errno;
  socklen_t length = sizeof error;
  if (ready > 0) ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    return fail(
        Error::from_errno(error, what, "is `particle fleet agent --listen` running there?"));
  }
  return {};
}

}  // namespace

Result<TcpAddress> TcpAddress::parse(std::string_view text) {
  const Error wrong = Error::of(Errc::invalid_argument, "address " + std::string(text),
                                "IP:PORT is expected, an IPv6 address in brackets");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail(wrong);
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = IpAddress::parse(host);
  if (!ip || ip->is_v4() == bracketed) return fail(wrong);
  TcpAddress out{*ip, 0};
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), out.port);
  if (error != std::errc() || end != digits.end() || out.port == 0) return fail(wrong);
  return out;
}

std::string TcpAddress::to_string() const {
  const std::string host = ip.is_v4() ? ip.to_string() : "[" + ip.to_string() + "]";
  return host + ":" + std::to_string(port);
}

Result<UniqueFd> connect_unix(const std::string& path) {
  const auto address = socket_address(path);
  if (!address) return fail(address.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(Error::from_errno(errno, "socket"));
  if (::connect(fd.get(), address->get(), address->length) == 0) return fd;
  if (errno == ENOENT || errno == ECONNREFUSED) {
    return fail(Error::of(Errc::not_found, "no agent listens at " + path,
                          "`particle fleet agent` starts one; without --agent a job runs on this "
                          "node alone"));
  }
  return fail(Error::from_errno(errno, "connect to " + path));
}

Result<UniqueFd> connect_tcp(const TcpAddress& address, std::chrono::milliseconds patience) {
  const std::string what = "connect to " + address.to_string();
  const SocketAddress to = socket_address(address);
  UniqueFd fd(::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(Error::from_errno(errno, "socket"));
  if (::connect(fd.get(), to.get(), to.length) != 0) {
    if (errno != EINPROGRESS) {
      return fail(
          Error::from_errno(errno, what, "is `particle fleet agent --listen` running there?"));
    }
    if (auto ok = finish_connecting(fd.get(), what, patience); !ok) {
      return fail(std::move(ok.error()));
    }
  }
  // Blocking from here on: each channel has threads of its own.
  if (::fcntl(fd.get(), F_SETFL, 0) != 0) return fail(Error::from_errno(errno, what));
  watch_peer(fd.get());
  return fd;
}

Result<UniqueFd> listen_unix(const std::string& path) {
  const auto address = socket_address(path);
  if (!address) return fail(address.error());
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  if (connect_unix(path)) {
    return fail(Error::of(Errc::already_exists, "an agent listens at " + path,
                          "one agent per node; `particle fleet nodes` asks it"));
  }
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) {
      return fail(Error::of(Errc::already_exists, path + " is no socket"));
    }
    ::unlink(path.c_str());
  }
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(Error::from_errno(errno, "socket"));
  // Before bind(2), which gives the file this mode: at no time can others connect.
  if (::fchmod(fd.get(), 0600) != 0 || ::bind(fd.get(), address->get(), address->length) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return fail(Error::from_errno(errno, "listen at " + path));
  }
  return fd;
}

Result<UniqueFd> listen_tcp(const TcpAddress& address) {
  const std::string what = "listen at " + address.to_string();
  if (address.ip.is_unspecified()) {
    return fail(Error::of(Errc::invalid_argument, what,
                          "name the node's own address: an agent obeys whoever reaches it"));
  }
  const SocketAddress at = socket_address(address);
  UniqueFd fd(::socket(at.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(Error::from_errno(errno, "socket"));
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (::bind(fd.get(), at.get(), at.length) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return fail(Error::from_errno(errno, what, "is the address this node's, and the port free?"));
  }
  return fd;
}

Result<Accepted> accept_on(const UniqueFd& listener) {
  while (true) {
    SocketAddress from;
    from.length = sizeof from.storage;
    UniqueFd fd(::accept4(listener.get(), from.get(), &from.length, SOCK_CLOEXEC));
    if (fd.valid()) {
      watch_peer(fd.get());  // does nothing to a UNIX socket
      return Accepted{std::move(fd), tcp_address(from)};
    }
    if (errno != EINTR && errno != ECONNABORTED) {
      return fail(Error::from_errno(errno, "accept a connection"));
    }
  }
}

}  // namespace particle::fleet
