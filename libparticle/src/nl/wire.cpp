// SPDX-License-Identifier: Apache-2.0
#include "nl/wire.hpp"

#include <algorithm>
#include <utility>

namespace particle::nl {

Error malformed(std::string what) {
  return Error::of(Errc::protocol, "netlink: " + std::move(what));
}

Result<std::optional<MessageView>> MessageReader::next() {
  if (rest_.empty()) return std::nullopt;
  const auto header = load<nlmsghdr>(rest_);
  if (!header) return fail(malformed("a datagram ends inside a message header"));
  const std::size_t length = header->nlmsg_len;
  if (length < sizeof(nlmsghdr) || length > rest_.size()) {
    return fail(malformed("a message claims " + std::to_string(length) + " bytes of " +
                          std::to_string(rest_.size())));
  }
  const Bytes bytes = rest_.first(length);
  rest_ = after(rest_, aligned(length));
  return MessageView{*header, bytes, bytes.subspan(sizeof(nlmsghdr))};
}

std::string_view AttributeView::text() const noexcept {
  const auto end = std::find(payload.begin(), payload.end(), std::byte{0});
  // A char may alias any object; the bytes outlive the view as the payload does.
  return {reinterpret_cast<const char*>(payload.data()),
          static_cast<std::size_t>(end - payload.begin())};
}

Result<std::optional<AttributeView>> AttributeReader::next() {
  if (rest_.empty()) return std::nullopt;
  const auto header = load<nlattr>(rest_);
  if (!header) return fail(malformed("a message ends inside an attribute header"));
  const std::size_t length = header->nla_len;
  if (length < sizeof(nlattr) || length > rest_.size()) {
    return fail(malformed("attribute " + std::to_string(header->nla_type & NLA_TYPE_MASK) +
                          " claims " + std::to_string(length) + " bytes of " +
                          std::to_string(rest_.size())));
  }
  const AttributeView view{static_cast<std::uint16_t>(header->nla_type & NLA_TYPE_MASK),
                           rest_.subspan(sizeof(nlattr), length - sizeof(nlattr))};
  rest_ = after(rest_, aligned(length));
  return view;
}

Result<std::optional<AttributeView>> find_attribute(Bytes attributes, std::uint16_t type) {
  std::optional<AttributeView> found;
  AttributeReader reader(attributes);
  for (;;) {
    auto attribute = reader.next();
    if (!attribute) return fail(std::move(attribute.error()));
    if (!*attribute) return found;
    if ((*attribute)->type == type) found = **attribute;
  }
}

}  // namespace particle::nl
