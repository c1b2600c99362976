// SPDX-License-Identifier: Apache-2.0
/// Real traffic between namespaces: sockets that live in a chosen namespace, whichever thread uses
/// them. No operation waits longer than its limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <particle/ip.hpp>
#include <particle/netns.hpp>
#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::test {

/// Longer than any healthy exchange between two namespaces of one machine, shorter than patience.
inline constexpr std::chrono::milliseconds kTrafficLimit{5000};
/// For exchanges that are meant to fail.
inline constexpr std::chrono::milliseconds kSilence{250};

/// A socket in `netns`, non-blocking and CLOEXEC. Throws when the kernel refuses.
UniqueFd open_socket(const NetNs& netns, Family family, int type);

/// Answers every TCP connection with `TOKEN CLIENT-IP` and closes it. Serves until it goes out of
/// scope, on a thread of its own.
class TokenServer {
 public:
  /// Listens in `netns` on a port of the kernel's choice, on `addresses`: each of them on its own
  /// socket, or every address of the namespace when there is none. Throws when bind(2) refuses.
  TokenServer(const NetNs& netns, std::string token, const std::vector<IpAddress>& addresses = {});
  TokenServer(const TokenServer&) = delete;
  TokenServer& operator=(const TokenServer&) = delete;
  ~TokenServer();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  void listen(const NetNs& netns, const IpAddress& address);
  void serve(const std::stop_token& stop);

  std::string token_;
  std::uint16_t port_ = 0;
  std::vector<UniqueFd> listeners_;
  UniqueFd wake_;
  std::jthread thread_;
};

/// What the server at `to` says to a client in `netns`, bound to `from` when that is given.
/// Errors: the errno of bind(2) or connect(2); ETIMEDOUT when nobody answers in time.
Result<std::string> ask(const NetNs& netns, const std::optional<IpAddress>& from,
                        const IpAddress& to, std::uint16_t port,
                        std::chrono::milliseconds limit = kTrafficLimit);

/// A UDP socket that never fragments (IP_PMTUDISC_DO), bound to `address`.
class Datagrams {
 public:
  Datagrams(const NetNs& netns, const IpAddress& address);
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Sends one datagram that is an IP packet of `packet_size` bytes. Errors: EMSGSIZE.
  Result<void> send_packet(const IpAddress& to, std::uint16_t port, std::size_t packet_size);
  /// The size of the IP packet of the next datagram that arrives in time.
  std::optional<std::size_t> receive_packet(std::chrono::milliseconds limit = kTrafficLimit);

 private:
  [[nodiscard]] std::size_t headers() const noexcept {
    return (family_ == Family::v4 ? 20 : 40) + 8;
  }

  Family family_;
  UniqueFd socket_;
  std::uint16_t port_ = 0;
};

}  // namespace particle::test
