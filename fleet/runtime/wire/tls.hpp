// SPDX-License-Identifier: Apache-2.0
/// TLS 1.3 between agents, with a key that both have and no certificates: each end proves that it has the
/// secret, and nobody else reads or changes what they say.
///
/// The key of a connection is derived from the secret and from who connects to whom in which cluster, and
/// that is what the identity in the hello says. So an agent that was named wrongly, one of another cluster
/// with the same secret, and an agent's own hello that somebody sends back to it are refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <particle/result.hpp>

#include "wire/secret.hpp"
#include "wire/transport.hpp"

namespace particle::fleet {

/// Who connects to whom.
struct TlsNames {
  std::string cluster, from, to;
  /// As it is sent. Pure.
  [[nodiscard]] std::string to_identity() const;
  /// Nothing for what to_identity() does not make of valid names. Pure.
  static std::optional<TlsNames> parse(std::string_view identity);
  friend bool operator==(const TlsNames&, const TlsNames&) = default;
};

struct TlsParty;  // an agent: its names and its secret; internal
struct TlsLink;   // one connection; internal

/// A handshake under way. Threads: one at a time.
class TlsHandshake {
 public:
  explicit TlsHandshake(std::unique_ptr<TlsLink> link);
  TlsHandshake(TlsHandshake&&) noexcept;
  TlsHandshake& operator=(TlsHandshake&&) noexcept;
  ~TlsHandshake();

  enum class Step : std::uint8_t { done, wants_read, wants_write };
  /// As far as it goes without waiting for the other side.
  /// Errors: permission_denied when the other side cannot prove who it is; protocol when it speaks
  /// something else; io when it went away. What to tell people is in the hint.
  Result<Step> advance();
  /// To wait for.
  [[nodiscard]] int fd() const noexcept;
  /// The other agent's name; proved once advance() has returned `done`.
  [[nodiscard]] const std::string& peer() const noexcept;
  /// After `done`.
  std::unique_ptr<Transport> finish() &&;

 private:
  std::unique_ptr<TlsLink> link_;
};

/// Threads: any.
class Tls {
 public:
  /// `self`: this agent's name. Errors: unsupported when OpenSSL lacks what is needed.
  static Result<Tls> open(Secret secret, std::string cluster, std::string self);

  /// Both make the socket non-blocking. `peer`: the name that the agent there has to have.
  Result<TlsHandshake> accept(UniqueFd socket) const;
  Result<TlsHandshake> connect(UniqueFd socket, std::string peer) const;
  /// A whole handshake. Errors: those of TlsHandshake::advance; ETIMEDOUT.
  Result<std::unique_ptr<Transport>> connect(UniqueFd socket, std::string peer,
                                             std::chrono::milliseconds patience) const;

 private:
  explicit Tls(std::shared_ptr<const TlsParty> party) : party_(std::move(party)) {}
  std::shared_ptr<const TlsParty> party_;
};

}  // namespace particle::fleet
