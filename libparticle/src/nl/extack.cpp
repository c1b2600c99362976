// SPDX-License-Identifier: Apache-2.0
#include "nl/extack.hpp"

#include <utility>

namespace particle::nl {
namespace {

/// include/linux/err.h:MAX_ERRNO. Anything else is no errno, and -INT_MIN would overflow.
constexpr int kMaxErrno = 4095;

Result<int> errno_of(int negated) {
  if (negated <= 0 && negated >= -kMaxErrno) return -negated;
  return fail(malformed("a reply carries the error code " + std::to_string(negated)));
}

Result<void> read_attributes(Bytes attributes, Verdict& verdict) {
  AttributeReader reader(attributes);
  for (;;) {
    auto attribute = reader.next();
    if (!attribute) return fail(std::move(attribute.error()));
    if (!*attribute) return {};
    const AttributeView& view = **attribute;
    if (view.type == NLMSGERR_ATTR_MSG) verdict.kernel_message = view.text();
    if (view.type == NLMSGERR_ATTR_OFFS) {
      verdict.attribute_offset = view.as<std::uint32_t>();
      if (!verdict.attribute_offset) return fail(malformed("an extended ack's offset is short"));
    }
  }
}

Result<Verdict> finish(int negated, const MessageView& message, Bytes attributes) {
  const auto error = errno_of(negated);
  if (!error) return fail(error.error());
  Verdict verdict;
  verdict.error = *error;
  verdict.sequence = message.header.nlmsg_seq;
  if ((message.header.nlmsg_flags & NLM_F_ACK_TLVS) != 0) {
    if (auto read = read_attributes(attributes, verdict); !read)
      return fail(std::move(read.error()));
  }
  return verdict;
}

}  // namespace

Result<Verdict> parse_error_reply(const MessageView& message) {
  const auto reply = load<nlmsgerr>(message.payload);
  if (!reply) return fail(malformed("an error reply is short"));
  std::size_t start = sizeof(nlmsgerr);
  const auto flags = message.header.nlmsg_flags;
  if ((flags & NLM_F_CAPPED) == 0 && (flags & NLM_F_ACK_TLVS) != 0) {
    // The request's whole text lies between. Its length is the kernel's word, hence checked.
    const std::size_t echoed = reply->msg.nlmsg_len;
    if (echoed < sizeof(nlmsghdr) || echoed - sizeof(nlmsghdr) > message.payload.size() - start) {
      return fail(
          malformed("an error reply echoes a request of " + std::to_string(echoed) + " bytes"));
    }
    start += aligned(echoed) - sizeof(nlmsghdr);
  }
  return finish(reply->error, message, after(message.payload, start));
}

Result<Verdict> parse_done_reply(const MessageView& message) {
  if (message.payload.empty()) return finish(0, message, {});
  const auto error = load<int>(message.payload);
  if (!error) return fail(malformed("the end of a dump is short"));
  return finish(*error, message, after(message.payload, sizeof(int)));
}

}  // namespace particle::nl
