// SPDX-License-Identifier: Apache-2.0
#include "nl/dump.hpp"

#include <cerrno>
#include <utility>
#include <vector>

#include "nl/extack.hpp"

namespace particle::nl {
namespace {

using Consumer = std::function<void(std::span<const std::byte>)>;

struct Attempt {
  std::uint32_t sequence = 0;
  bool done = false;
  bool inconsistent = false;  ///< NLM_F_DUMP_INTR, or a part was lost
};

Result<void> send_request(Conversation& conversation, const Message& request,
                          std::uint32_t sequence) {
  std::vector<std::byte> bytes(request.bytes().begin(), request.bytes().end());
  auto header = load<nlmsghdr>(bytes);
  if (!header || header->nlmsg_len != bytes.size()) {
    return fail(Error::of(Errc::invalid_argument, "netlink dump",
                          "the request is empty or not one whole message"));
  }
  header->nlmsg_seq = sequence;
  header->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
  std::memcpy(bytes.data(), &*header, sizeof *header);
  return conversation.send(bytes);
}

/// The end of the dump, or its refusal.
Result<void> finish(Attempt& attempt, Result<Verdict> verdict, const Message& request) {
  if (!verdict) return fail(std::move(verdict.error()));
  attempt.done = true;
  if (!verdict->ok()) return fail(to_error(*verdict, request));
  return {};
}

Result<void> read(Bytes datagram, Attempt& attempt, const Message& request,
                  const Consumer& consume) {
  MessageReader reader(datagram);
  while (!attempt.done) {
    auto message = reader.next();
    if (!message) return fail(std::move(message.error()));
    if (!*message) return {};
    const MessageView& view = **message;
    if (view.header.nlmsg_seq != attempt.sequence) continue;
    if ((view.header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) attempt.inconsistent = true;
    switch (view.header.nlmsg_type) {
      case NLMSG_NOOP:
        break;
      case NLMSG_OVERRUN:
        attempt.inconsistent = true;
        break;
      case NLMSG_DONE:
        return finish(attempt, parse_done_reply(view), request);
      case NLMSG_ERROR:
        return finish(attempt, parse_error_reply(view), request);
      default:
        if (!attempt.inconsistent) consume(view.bytes);
    }
  }
  return {};
}

Result<void> run(Attempt& attempt, Conversation& conversation, const Message& request,
                 const Consumer& consume) {
  if (auto sent = send_request(conversation, request, attempt.sequence); !sent) return sent;
  while (!attempt.done) {
    auto datagram = conversation.receive(attempt.inconsistent);
    if (!datagram) return fail(std::move(datagram.error()));
    if (!*datagram) {
      // The end was lost with the part that carried it.
      attempt.inconsistent = true;
      return {};
    }
    if (auto done = read(**datagram, attempt, request, consume); !done) return done;
  }
  return {};
}

}  // namespace

Result<void> dump(Conversation& conversation, const Message& request, const Consumer& consume,
                  const std::function<void()>& restart) {
  constexpr int kAttempts = 16;
  for (int i = 0; i < kAttempts; ++i) {
    if (i > 0 && restart) restart();
    Attempt attempt{conversation.take_sequences(1)};
    auto done = run(attempt, conversation, request, consume);
    if (!done || attempt.inconsistent) conversation.drain();
    if (!done) return done;
    if (!attempt.inconsistent) return {};
  }
  return fail(Error::from_errno(
      EINTR, request.describe(),
      "what was read kept changing: 16 attempts; try again when the node is calmer"));
}

}  // namespace particle::nl
