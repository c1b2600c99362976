// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include <linux/rtnetlink.h>

#include <particle/addr.hpp>

#include "nl/extack.hpp"
#include "support/fake_transport.hpp"

using namespace particle;
using namespace particle::test;

namespace {

SentRequest request() {
  const auto message = encode_addr({{2}, IpAddress::parse("10.0.0.7").value(), 32, true});
  SentRequest sent;
  sent.bytes.assign(message.bytes().begin(), message.bytes().end());
  sent.header = nl::load<nlmsghdr>(sent.bytes).value();
  sent.header.nlmsg_seq = 9;
  return sent;
}

Result<Verdict> parse(const Datagram& datagram) {
  nl::MessageReader reader(datagram);
  return nl::parse_error_reply(reader.next().value().value());
}

template <class T>
void overwrite(Datagram& datagram, std::size_t offset, T value) {
  std::memcpy(datagram.data() + offset, &value, sizeof value);
}

constexpr std::size_t kErrorAt = sizeof(nlmsghdr);
constexpr std::size_t kEchoAt = kErrorAt + sizeof(int);

}  // namespace

TEST_CASE("extack: a capped reply keeps the kernel's text and the offset") {
  const auto verdict = parse(make_reply(request(), {EEXIST, "Address already assigned", 28}));
  REQUIRE(verdict);
  CHECK(verdict->error == EEXIST);
  CHECK(verdict->kernel_message == "Address already assigned");
  CHECK(verdict->attribute_offset == 28U);
  CHECK(verdict->sequence == 9);
}

TEST_CASE("extack: an uncapped reply keeps the kernel's text and the offset") {
  const auto verdict = parse(make_reply(request(), {EINVAL, "Invalid prefix length", 4, false}));
  REQUIRE(verdict);
  CHECK(verdict->error == EINVAL);
  CHECK(verdict->kernel_message == "Invalid prefix length");
  CHECK(verdict->attribute_offset == 4U);
}

TEST_CASE("extack: a reply without attributes has an error and no text") {
  for (const bool capped : {true, false}) {
    const auto verdict = parse(make_reply(request(), {EPERM, "unseen", 4, capped, false}));
    REQUIRE(verdict);
    CHECK(verdict->error == EPERM);
    CHECK(verdict->kernel_message.empty());
    CHECK_FALSE(verdict->attribute_offset);
  }
}

TEST_CASE("extack: an ack may carry a warning") {
  Refusal warning;
  warning.text = "dropped an unknown flag";
  const auto verdict = parse(make_reply(request(), warning));
  REQUIRE(verdict);
  CHECK(verdict->ok());
  CHECK(verdict->kernel_message == "dropped an unknown flag");
}

TEST_CASE("extack: codes that are no errno are malformed") {
  for (const int code :
       {1, 4095, -4096, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()}) {
    CAPTURE(code);
    Datagram reply = make_ack(request());
    overwrite(reply, kErrorAt, code);
    REQUIRE_FALSE(parse(reply));
    CHECK(parse(reply).error().kind() == Errc::protocol);
  }
}

TEST_CASE("extack: an echoed length that does not fit the reply is malformed") {
  for (const std::uint32_t length : {0U, 15U, 4096U, 0xfffffffcU, 0xffffffffU}) {
    CAPTURE(length);
    Datagram reply = make_reply(request(), {EINVAL, "text", 4, false});
    overwrite(reply, kEchoAt, length);
    REQUIRE_FALSE(parse(reply));
    CHECK(parse(reply).error().kind() == Errc::protocol);
  }
}

TEST_CASE("extack: a short reply and a short offset are malformed") {
  Datagram reply = make_reply(request(), {EINVAL, "", 4});
  // The one attribute is the offset: make it 2 bytes long.
  overwrite(reply, reply.size() - 8, std::uint16_t{6});
  CHECK_FALSE(parse(reply));
  CHECK_FALSE(parse(make_message(NLMSG_ERROR, 0, 9)));
}

TEST_CASE("extack: the end of a dump has an optional error") {
  const auto parse_done = [](const Datagram& datagram) {
    nl::MessageReader reader(datagram);
    return nl::parse_done_reply(reader.next().value().value());
  };
  CHECK(parse_done(make_done(1)).value().ok());
  CHECK(parse_done(make_done(1, EOPNOTSUPP)).value().error == EOPNOTSUPP);
  CHECK(parse_done(make_message(NLMSG_DONE, 0, 1)).value().ok());
  const std::array<std::byte, 2> two{};
  CHECK_FALSE(parse_done(make_message(NLMSG_DONE, 0, 1, two)));
}
