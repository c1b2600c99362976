// SPDX-License-Identifier: Apache-2.0
/// Session::transact: requests in windows, one verdict each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <particle/session.hpp>

#include "nl/conversation.hpp"

namespace particle::nl {

/// Meaning of a refusal of a request whose first copy may have been applied: a verdict of success
/// where the refusal says just that.
Verdict settle_resent(Verdict verdict, const Message& request);

class Transaction {
 public:
  Transaction(Conversation& conversation, std::span<const Message> requests);
  Result<std::vector<Verdict>> run(const TransactOptions& options);

 private:
  /// Requests [first, first + count), answered under sequence, sequence + 1, ...
  struct Window {
    std::size_t first = 0;
    std::size_t count = 0;
    std::uint32_t sequence = 0;
    bool lost = false;      ///< a reply may be missing
    bool complete = false;  ///< the last request is answered
  };

  [[nodiscard]] std::size_t fitting(std::size_t first) const noexcept;
  Result<void> run_window(std::size_t first, std::size_t count);
  Result<Window> send(std::size_t first, std::size_t count);
  Result<void> collect(Window& window);
  Result<void> read(Bytes datagram, Window& window);
  Result<void> resend(std::size_t index);
  void cancel_from(std::size_t first);

  Conversation& conversation_;
  std::span<const Message> requests_;
  std::vector<Verdict> verdicts_;
  std::vector<bool> answered_;
  std::vector<std::byte> batch_;
};

}  // namespace particle::nl
