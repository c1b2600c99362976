// SPDX-License-Identifier: Apache-2.0
#include "nl/transaction.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <linux/rtnetlink.h>

#include "nl/extack.hpp"

namespace particle::nl {
namespace {

/// One sendmsg stays well below a default SO_SNDBUF (212,992 bytes).
constexpr std::size_t kBatchBytes = std::size_t{64} * 1024;

/// rtnetlink's message types come in fours: NEW, DEL, GET, SET.
enum class Action : std::uint8_t { create, remove, get, set };
Action action_of(std::uint16_t type) noexcept {
  return static_cast<Action>((type - RTM_BASE) & 3U);
}

/// Appends `request` with its sequence number; the ack flag is the caller's to choose.
void append(std::vector<std::byte>& batch, const Message& request, std::uint32_t sequence,
            bool ask_ack) {
  const Bytes bytes = request.bytes();
  nlmsghdr header = *load<nlmsghdr>(bytes);
  header.nlmsg_seq = sequence;
  header.nlmsg_flags =
      static_cast<std::uint16_t>((header.nlmsg_flags & ~unsigned{NLM_F_ACK}) | NLM_F_REQUEST);
  if (ask_ack) header.nlmsg_flags |= NLM_F_ACK;
  const std::size_t start = batch.size();
  batch.insert(batch.end(), bytes.begin(), bytes.end());
  std::memcpy(batch.data() + start, &header, sizeof header);
  batch.resize(aligned(batch.size()));
}

Result<void> check(std::span<const Message> requests) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto header = load<nlmsghdr>(requests[i].bytes());
    if (header && header->nlmsg_len == requests[i].bytes().size()) continue;
    return fail(
        Error::of(Errc::invalid_argument, "netlink request " + std::to_string(i),
                  "the request is empty or not one whole message: a field did not fit, or a bug"));
  }
  return {};
}

}  // namespace

Verdict settle_resent(Verdict verdict, const Message& request) {
  const auto action = action_of(request.type());
  const bool exists =
      verdict.error == EEXIST && action == Action::create && (request.flags() & NLM_F_EXCL) != 0;
  const bool gone =
      action == Action::remove && (verdict.error == ENOENT || verdict.error == ESRCH ||
                                   verdict.error == ENODEV || verdict.error == EADDRNOTAVAIL);
  if (!exists && !gone) return verdict;
  Verdict settled;
  settled.sequence = verdict.sequence;
  return settled;
}

Transaction::Transaction(Conversation& conversation, std::span<const Message> requests)
    : conversation_(conversation), requests_(requests) {}

Result<std::vector<Verdict>> Transaction::run(const TransactOptions& options) {
  if (auto valid = check(requests_); !valid) return fail(std::move(valid.error()));
  verdicts_.resize(requests_.size());
  answered_.resize(requests_.size());
  for (std::size_t first = 0; first < requests_.size();) {
    if (options.stop.stop_requested()) {
      cancel_from(first);
      break;
    }
    const std::size_t count = fitting(first);
    if (auto done = run_window(first, count); !done) return fail(std::move(done.error()));
    first += count;
    if (options.progress) options.progress(first);
  }
  return std::move(verdicts_);
}

void Transaction::cancel_from(std::size_t first) {
  for (std::size_t i = first; i < verdicts_.size(); ++i) verdicts_[i].error = ECANCELED;
}

std::size_t Transaction::fitting(std::size_t first) const noexcept {
  const std::size_t most = std::min(conversation_.window(), requests_.size() - first);
  std::size_t bytes = aligned(requests_[first].bytes().size());
  std::size_t count = 1;
  for (; count < most; ++count) {
    bytes += aligned(requests_[first + count].bytes().size());
    if (bytes > kBatchBytes) break;
  }
  return count;
}

Result<void> Transaction::run_window(std::size_t first, std::size_t count) {
  auto window = send(first, count);
  if (!window) return fail(std::move(window.error()));
  if (auto done = collect(*window); !done) return done;
  if (window->complete && !window->lost) return {};  // silence on the others means success
  for (std::size_t i = first; i < first + count; ++i) {
    if (answered_[i]) continue;
    if (auto done = resend(i); !done) return done;
  }
  return {};
}

Result<Transaction::Window> Transaction::send(std::size_t first, std::size_t count) {
  Window window{first, count, conversation_.take_sequences(count)};
  batch_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const auto sequence = window.sequence + static_cast<std::uint32_t>(i);
    verdicts_[first + i].sequence = sequence;
    append(batch_, requests_[first + i], sequence, i + 1 == count);
  }
  if (auto sent = conversation_.send(batch_); !sent) {
    sent.error().operation += ": " + requests_[first].describe();
    return fail(std::move(sent.error()));
  }
  return window;
}

Result<void> Transaction::collect(Window& window) {
  // After a loss the rest of the queue is still read: it holds verdicts, and until it is empty the
  // kernel drops every further reply (NETLINK_S_CONGESTED).
  while (!window.complete || window.lost) {
    auto datagram = conversation_.receive(window.lost);
    if (!datagram) return fail(std::move(datagram.error()));
    if (!*datagram) {
      window.lost = true;
      return {};
    }
    if (auto done = read(**datagram, window); !done) return done;
  }
  return {};
}

Result<void> Transaction::read(Bytes datagram, Window& window) {
  MessageReader reader(datagram);
  for (;;) {
    auto message = reader.next();
    if (!message) return fail(std::move(message.error()));
    if (!*message) return {};
    const nlmsghdr& header = (*message)->header;
    if (header.nlmsg_type == NLMSG_OVERRUN) window.lost = true;
    // A late reply of an earlier window, an echo, NLMSG_NOOP: not a verdict of this window.
    const std::uint32_t offset = header.nlmsg_seq - window.sequence;
    if (header.nlmsg_type != NLMSG_ERROR || offset >= window.count) continue;
    auto verdict = parse_error_reply(**message);
    if (!verdict) return fail(std::move(verdict.error()));
    const std::size_t index = window.first + offset;
    verdicts_[index] = std::move(*verdict);
    answered_[index] = true;
    if (offset + 1 == window.count) window.complete = true;
  }
}

Result<void> Transaction::resend(std::size_t index) {
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto window = send(index, 1);
    if (!window) return fail(std::move(window.error()));
    if (auto done = collect(*window); !done) return done;
    if (!answered_[index]) continue;
    verdicts_[index] = settle_resent(std::move(verdicts_[index]), requests_[index]);
    return {};
  }
  return fail(Error::of(Errc::unknown_outcome, requests_[index].describe(),
                        "the kernel's reply was lost; look at what exists before trying again"));
}

}  // namespace particle::nl
