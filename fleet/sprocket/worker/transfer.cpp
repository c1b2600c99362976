// SPDX-License-Identifier: Apache-2.0
#include "worker/transfer.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zlib.h>

#include "worker/memory_file.hpp"

namespace particle::sprocket {
namespace {

constexpr std::size_t kPiece = 1 << 18;
constexpr std::size_t kLongestLine = 256;
constexpr timeval kPatience{.tv_sec = 20, .tv_usec = 0};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<SocketAddress> address_of(const std::string& text, std::uint16_t port) {
  SocketAddress out;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.length = sizeof *v4;
  } else if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.length = sizeof *v6;
  } else {
    return fail(Error::of(Errc::invalid_argument, "address \"" + text + "\""));
  }
  return out;
}

Error unreachable(const Place& place, const std::string& why) {
  return Error::of(Errc::busy, "pull from " + place.address + " port " +
                                   std::to_string(place.port) + ": " + why);
}

/// One byte at a time: what follows the line is data.
bool read_line(int socket, std::string& line) {
  line.clear();
  for (char c = 0; line.size() < kLongestLine; line += c) {
    const ssize_t got = ::recv(socket, &c, 1, 0);
    if (got != 1) return false;
    if (c == '\n') return true;
  }
  return false;
}

bool send_all(int socket, const void* bytes, std::size_t count, int flags) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t sent = ::send(socket, at, count, MSG_NOSIGNAL | flags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    count -= static_cast<std::size_t>(sent);
  }
  return true;
}

std::uint32_t add_to(std::uint32_t crc, const char* bytes, std::size_t count) {
  return static_cast<std::uint32_t>(
      ::crc32(crc, reinterpret_cast<const Bytef*>(bytes), static_cast<uInt>(count)));
}

Result<UniqueFd> connect_to(const Place& place) {
  const auto address = address_of(place.address, place.port);
  if (!address) return fail(address.error());
  UniqueFd socket(::socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail(Error::from_errno(errno, "socket"));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (::connect(socket.get(), address->get(), address->length) != 0) {
    return fail(unreachable(place, std::strerror(errno)));
  }
  return socket;
}

/// Takes `bytes` and the checksum behind them.
Result<std::uint32_t> receive(const Place& place, int socket, std::uint64_t bytes, int to) {
  std::vector<char> buffer(kPiece);
  std::uint32_t crc = 0;
  while (bytes > 0) {
    const ssize_t got =
        ::recv(socket, buffer.data(), std::min<std::uint64_t>(bytes, buffer.size()), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return fail(unreachable(place, std::to_string(bytes) + " bytes before the end: " +
                                         (got == 0 ? "closed" : std::strerror(errno))));
    }
    crc = add_to(crc, buffer.data(), static_cast<std::size_t>(got));
    if (auto ok = write_all(to, {buffer.data(), static_cast<std::size_t>(got)}, "pulled data");
        !ok) {
      return fail(std::move(ok.error()));
    }
    bytes -= static_cast<std::uint64_t>(got);
  }
  std::uint32_t sent = 0;
  if (::recv(socket, &sent, sizeof sent, MSG_WAITALL) != sizeof sent) {
    return fail(unreachable(place, "no checksum came"));
  }
  if (ntohl(sent) != crc) {
    return fail(unreachable(place, "the data is not what was sent: checksums differ"));
  }
  return crc;
}

Result<std::uint32_t> pull_direct(const Place& place, std::uint64_t offset, std::uint64_t bytes,
                                  int to, const std::function<void()>& connected) {
  auto socket = connect_to(place);
  if (!socket) return fail(std::move(socket.error()));
  if (connected) connected();
  const std::string request = "SPROCKET/1 GET " + std::to_string(place.blob) + " " +
                              std::to_string(place.start + offset) + " " + std::to_string(bytes) +
                              "\n";
  std::string line;
  if (!send_all(socket->get(), request.data(), request.size(), 0) ||
      !read_line(socket->get(), line)) {
    return fail(unreachable(place, "no answer"));
  }
  if (line != "OK") return fail(unreachable(place, line));
  return receive(place, socket->get(), bytes, to);
}

Result<std::uint32_t> pull_stored(const Place& place, std::uint64_t offset, std::uint64_t bytes,
                                  int to, const std::function<void()>& connected) {
  const UniqueFd file(::open(place.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail(Error::from_errno(errno, "open " + place.path));
  if (connected) connected();
  std::vector<char> buffer(std::min<std::uint64_t>(bytes, kPiece));
  std::uint32_t crc = 0;
  std::uint64_t at = place.start + offset;
  while (bytes > 0) {
    const std::size_t piece = std::min<std::uint64_t>(bytes, buffer.size());
    if (auto ok = read_at(file.get(), {buffer.data(), piece}, at, place.path); !ok) {
      return fail(std::move(ok.error()));
    }
    if (auto ok = write_all(to, {buffer.data(), piece}, "pulled data"); !ok) {
      return fail(std::move(ok.error()));
    }
    crc = add_to(crc, buffer.data(), piece);
    at += piece;
    bytes -= piece;
  }
  return crc;
}

void refuse(int socket, const std::string& why) {
  const std::string line = "ERROR " + why + "\n";
  send_all(socket, line.data(), line.size(), 0);
}

void serve(const UniqueFd& socket, const std::vector<int>& blobs) {
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  std::string line;
  if (!read_line(socket.get(), line)) return;
  std::uint64_t blob = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  // NOLINTNEXTLINE(cert-err34-c,bugprone-unchecked-string-to-number-conversion)
  if (std::sscanf(line.c_str(), "SPROCKET/1 GET %lu %lu %lu", &blob, &offset, &bytes) != 3 ||
      blob >= blobs.size()) {
    refuse(socket.get(), "no such request");
    return;
  }
  const auto size = size_of(blobs[blob]);
  if (!size || offset > *size || bytes > *size - offset) {
    refuse(socket.get(), "no such part");
    return;
  }
  send_all(socket.get(), "OK\n", 3, MSG_MORE);
  std::vector<char> buffer(std::min<std::uint64_t>(std::max<std::uint64_t>(bytes, 1), kPiece));
  std::uint32_t crc = 0;
  while (bytes > 0) {
    const std::size_t piece = std::min<std::uint64_t>(bytes, buffer.size());
    if (!read_at(blobs[blob], {buffer.data(), piece}, offset, "blob")) return;
    crc = add_to(crc, buffer.data(), piece);
    if (!send_all(socket.get(), buffer.data(), piece, MSG_MORE)) return;
    offset += piece;
    bytes -= piece;
  }
  const std::uint32_t wire = htonl(crc);
  send_all(socket.get(), &wire, sizeof wire, 0);
}

}  // namespace

Result<void> pull(const Place& place, std::uint64_t offset, std::uint64_t bytes, int to,
                  const std::function<void()>& connected) {
  if (offset > place.bytes || bytes > place.bytes - offset) {
    return fail(Error::of(Errc::protocol, "a part beyond the end of an item was asked for"));
  }
  const auto crc = place.path.empty() ? pull_direct(place, offset, bytes, to, connected)
                                      : pull_stored(place, offset, bytes, to, connected);
  if (!crc) return fail(crc.error());
  if (bytes == place.bytes && *crc != place.checksum) {
    const std::string what = "an item's bytes are not what its worker announced";
    return fail(place.path.empty() ? unreachable(place, what)
                                   : Error::of(Errc::busy, "read " + place.path + ": " + what));
  }
  return {};
}

Result<Server> Server::open(const std::string& address) {
  const auto where = address_of(address, 0);
  if (!where) return fail(where.error());
  UniqueFd listener(::socket(where->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return fail(Error::from_errno(errno, "socket"));
  constexpr int kBacklog = 256;
  if (::bind(listener.get(), where->get(), where->length) != 0 ||
      ::listen(listener.get(), kBacklog) != 0) {
    return fail(Error::from_errno(errno, "listen at " + address));
  }
  SocketAddress bound;
  bound.length = sizeof bound.storage;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length) !=
      0) {
    return fail(Error::from_errno(errno, "getsockname"));
  }
  // The port stands at the same place in both families.
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound.storage);
  return Server(std::move(listener), ntohs(v4->sin_port));
}

void Server::start(std::vector<int> blobs) {
  // The threads end with the process: a worker has nothing else to do once it serves.
  std::thread([listener = std::move(listener_), blobs = std::move(blobs)] {
    while (true) {
      UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket.valid()) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        return;
      }
      std::thread([connection = std::move(socket), &blobs] { serve(connection, blobs); }).detach();
    }
  }).detach();
}

}  // namespace particle::sprocket
