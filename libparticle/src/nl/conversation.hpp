// SPDX-License-Identifier: Apache-2.0
/// What transactions and dumps share: the transport, sequence numbers and the receive buffer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <particle/session.hpp>

#include "nl/wire.hpp"

namespace particle::nl {

class Conversation {
 public:
  explicit Conversation(std::unique_ptr<Transport> transport);

  /// The first of `count` consecutive sequence numbers, none of them 0.
  std::uint32_t take_sequences(std::size_t count) noexcept;
  /// How many requests one receive buffer can answer even when each is refused.
  [[nodiscard]] std::size_t window() const noexcept { return window_; }

  Result<void> send(Bytes bytes) { return transport_->send(bytes); }

  /// The next datagram, valid until the next call; nothing when none is waiting. After a loss
  /// (ENOBUFS) `lost` is set and the datagrams that were kept follow.
  Result<std::optional<Bytes>> receive(bool& lost);
  /// Throws away whatever waits, so that an abandoned dump does not keep the kernel's side busy.
  void drain();

 private:
  std::unique_ptr<Transport> transport_;
  std::size_t window_;
  std::unique_ptr<std::byte[]> buffer_;
  std::uint32_t next_sequence_ = 1;
};

}  // namespace particle::nl
