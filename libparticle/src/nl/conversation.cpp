// SPDX-License-Identifier: Apache-2.0
#include "nl/conversation.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace particle::nl {
namespace {

/// Above what one refusal takes of the receive buffer: 832 bytes measured (Linux 6.18, x86-64), of
/// which most is the kernel's own bookkeeping (sk_buff and skb_shared_info).
constexpr std::size_t kReplyCost = 1024;
constexpr std::size_t kLargestWindow = 4096;

/// The kernel builds dump datagrams of up to 32 KiB when the reader's buffer allows.
constexpr std::size_t kReceiveBuffer = std::size_t{64} * 1024;

}  // namespace

Conversation::Conversation(std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)),
      window_(std::clamp<std::size_t>(transport_->receive_buffer_size() / kReplyCost, 1,
                                      kLargestWindow)),
      // Not zeroed: most conversations touch one page of it.
      buffer_(std::make_unique_for_overwrite<std::byte[]>(kReceiveBuffer)) {}

std::uint32_t Conversation::take_sequences(std::size_t count) noexcept {
  if (count > std::numeric_limits<std::uint32_t>::max() - next_sequence_) next_sequence_ = 1;
  return std::exchange(next_sequence_, next_sequence_ + static_cast<std::uint32_t>(count));
}

Result<std::optional<Bytes>> Conversation::receive(bool& lost) {
  const std::span buffer(buffer_.get(), kReceiveBuffer);
  for (;;) {
    const auto length = transport_->receive(buffer);
    if (length) return buffer.first(std::min(*length, buffer.size()));
    if (length.error().code == std::errc::resource_unavailable_try_again) return std::nullopt;
    if (length.error().code != std::errc::no_buffer_space) return fail(length.error());
    lost = true;
  }
}

void Conversation::drain() {
  constexpr int kMost = 65536;
  bool lost = false;
  for (int i = 0; i < kMost; ++i) {
    const auto datagram = receive(lost);
    if (!datagram || !*datagram) return;
  }
}

}  // namespace particle::nl
