// SPDX-License-Identifier: Apache-2.0
/// Where agents listen: a UNIX socket for this node's clients, and IP:PORT for the other agents.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <particle/ip.hpp>
#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::fleet {

/// "10.9.0.2:4790", "[2001:db8::2]:4790".
struct TcpAddress {
  IpAddress ip;
  std::uint16_t port = 0;
  /// Errors: invalid_argument, with the form that is expected.
  static Result<TcpAddress> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};

/// Errors: errno of connect(2). A refused or missing socket says that no agent listens.
Result<UniqueFd> connect_unix(const std::string& path);
/// `patience`: for the connection to come about. A peer that vanishes without a word is noticed within
/// some five seconds from then on (keepalive, TCP_USER_TIMEOUT).
Result<UniqueFd> connect_tcp(const TcpAddress& address, std::chrono::milliseconds patience);

/// Replaces a socket that no one listens on; mode 0600. Errors: already_exists when an agent answers there.
Result<UniqueFd> listen_unix(const std::string& path);
/// Errors: errno of bind(2); invalid_argument for "any" address: an agent is reached inside the node
/// network and nowhere else.
Result<UniqueFd> listen_tcp(const TcpAddress& address);
struct Accepted {
  UniqueFd socket;
  std::optional<TcpAddress> from;  ///< unset for a UNIX socket
};
/// The next connection, with the same watch on it as connect_tcp's.
Result<Accepted> accept_on(const UniqueFd& listener);

}  // namespace particle::fleet
