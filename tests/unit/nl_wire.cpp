// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <random>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <particle/link.hpp>

#include "nl/extack.hpp"
#include "nl/wire.hpp"
#include "nl/words.hpp"
#include "nl/writer.hpp"
#include "support/fake_transport.hpp"

using namespace particle;
using namespace particle::test;

namespace {

/// A heap copy of the exact size, so that the address sanitizer sees a read beyond it.
struct Exact {
  explicit Exact(nl::Bytes bytes) : size(bytes.size()), data(std::make_unique<std::byte[]>(size)) {
    std::ranges::copy(bytes, data.get());
  }
  [[nodiscard]] nl::Bytes bytes() const { return {data.get(), size}; }
  std::size_t size;
  std::unique_ptr<std::byte[]> data;
};

/// Reads messages, and in each attributes to some depth, until the end or an error.
void walk_attributes(nl::Bytes bytes, int depth) {
  nl::AttributeReader reader(bytes);
  for (;;) {
    const auto attribute = reader.next();
    if (!attribute || !*attribute) return;
    CHECK((*attribute)->payload.size() <= bytes.size());
    (void)(*attribute)->text();
    if (depth > 0) walk_attributes((*attribute)->payload, depth - 1);
  }
}

void walk(nl::Bytes datagram) {
  nl::MessageReader reader(datagram);
  for (;;) {
    const auto message = reader.next();
    if (!message || !*message) return;
    (void)nl::parse_error_reply(**message);
    (void)nl::parse_done_reply(**message);
    walk_attributes(nl::after((*message)->payload, sizeof(ifinfomsg)), 4);
    const Message copy(std::vector((*message)->bytes.begin(), (*message)->bytes.end()));
    CHECK_FALSE(copy.describe().empty());
  }
}

Message sample() {
  VethSpec spec;
  spec.name = "vp0";
  spec.peer_name = "eth0";
  spec.peer_mac = Mac::derive("x");
  spec.mtu = Mtu::from(1450).value();
  return encode_veth(spec);
}

Datagram sample_bytes() {
  const Message message = sample();
  return {message.bytes().begin(), message.bytes().end()};
}

Datagram refusal(bool capped) {
  SentRequest request;
  request.bytes = sample_bytes();
  request.header = *nl::load<nlmsghdr>(request.bytes);
  return make_reply(request, {EEXIST, "the device exists", 24, capped, true});
}

void set_length(Datagram& datagram, std::uint32_t length) {
  std::memcpy(datagram.data(), &length, sizeof length);
}

}  // namespace

TEST_CASE("wire: a message claims no more and no less than there is") {
  for (const std::uint32_t length : {0U, 1U, 15U, 17U, 4096U, 0x7fffffffU, 0xffffffffU}) {
    CAPTURE(length);
    Datagram datagram = make_message(RTM_NEWLINK, 0, 1);
    set_length(datagram, length);
    nl::MessageReader reader(datagram);
    const auto message = reader.next();
    REQUIRE_FALSE(message);
    CHECK(message.error().kind() == Errc::protocol);
  }
}

TEST_CASE("wire: a datagram that ends inside a header is malformed") {
  const Datagram whole = make_message(RTM_NEWLINK, 0, 1);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const Exact part(nl::Bytes(whole).first(size));
    nl::MessageReader reader(part.bytes());
    CHECK_FALSE(reader.next());
  }
  CHECK_FALSE(nl::MessageReader(nl::Bytes{}).next().value().has_value());
}

TEST_CASE("wire: an attribute claims no more and no less than there is") {
  for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 1, 3, 9, 65535}) {
    CAPTURE(length);
    std::array<std::uint16_t, 4> raw{length, IFLA_MTU, 0, 0};
    nl::AttributeReader reader(std::as_bytes(std::span(raw)));
    const auto attribute = reader.next();
    REQUIRE_FALSE(attribute);
    CHECK(attribute.error().kind() == Errc::protocol);
  }
}

TEST_CASE(
    "wire: values shorter than their type are nothing, text without NUL ends with its bytes") {
  const std::array<std::byte, 3> bytes{std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
  const nl::AttributeView view{1, bytes};
  CHECK_FALSE(view.as<std::uint32_t>());
  CHECK(view.as<std::uint16_t>());
  CHECK(view.text() == "abc");
}

TEST_CASE("wire: attributes are found whatever flags their type carries") {
  std::array<std::uint16_t, 4> raw{8, IFLA_MTU | NLA_F_NESTED, 1450, 0};
  const auto found = nl::find_attribute(std::as_bytes(std::span(raw)), IFLA_MTU);
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->as<std::uint32_t>() == 1450U);
  CHECK_FALSE(nl::find_attribute(std::as_bytes(std::span(raw)), IFLA_MASTER)->has_value());
}

TEST_CASE("wire: every truncation of real messages ends within bounds") {
  for (const Datagram& whole : {refusal(true), refusal(false), sample_bytes()}) {
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      walk(Exact(std::span(whole).first(size)).bytes());
      if (size < sizeof(nlmsghdr)) continue;
      Datagram cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      set_length(cut, static_cast<std::uint32_t>(size));
      walk(Exact(cut).bytes());
    }
  }
}

TEST_CASE("wire: random damage to real messages ends within bounds") {
  std::mt19937 random(7);
  for (const Datagram& whole : {refusal(true), refusal(false), sample_bytes()}) {
    for (int i = 0; i < 5000; ++i) {
      Datagram damaged = whole;
      for (int hit = 0; hit < 3; ++hit) {
        damaged[random() % damaged.size()] = static_cast<std::byte>(random());
      }
      walk(Exact(damaged).bytes());
    }
  }
}

TEST_CASE("writer: a message that does not fit comes out empty") {
  LinkChange change;
  change.index = {2};
  change.alias = std::string(4096, 'a');
  CHECK(encode_link_change(change).bytes().empty());
  CHECK(encode_link_change(change).describe() == "an empty or malformed netlink request");
  CHECK(encode_link_change(change).type() == 0);
  change.alias = std::string(255, 'a');
  CHECK_FALSE(encode_link_change(change).bytes().empty());
}
