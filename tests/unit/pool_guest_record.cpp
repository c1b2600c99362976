// SPDX-License-Identifier: Apache-2.0
// The note beside a guest's pin, and the steps that a guest needs.
#include <doctest/doctest.h>

#include "pool/guest.hpp"

namespace particle::test {

TEST_CASE("guest record: it is read back as written, and nothing else is taken for one") {
  const GuestRecord record{"net1", *Mac::parse("02:00:00:00:00:07")};
  const std::string text = to_text(record);
  CHECK(text == "net1 02:00:00:00:00:07\n");
  const auto again = parse_guest(text, "guest-1");
  REQUIRE(again);
  CHECK(again->device == record.device);
  CHECK(again->mac == record.mac);
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK_FALSE(parse_guest(std::string_view(text).substr(0, size), "guest-1").has_value());
  for (const char* wrong : {" 02:00:00:00:00:07\n", "net1 02:00\n", "net1\n", "a b c\n",
                            "net1 02:00:00:00:00:07\nnet2 02:00:00:00:00:08\n"}) {
    const auto refused = parse_guest(wrong, "guest-1");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::corrupt_state);
    CHECK(refused.error().operation.find("guest-1") != std::string::npos);
  }
}

TEST_CASE("guest link: a device of the name counts only with the pool's alias or the guest's MAC") {
  PoolRecord pool;
  pool.name = "p";
  pool.tenant = "acme";
  pool.vni = *Vni::from(7);
  const GuestRecord record{"net1", *Mac::parse("02:00:00:00:00:07")};
  ObservedNamespace have;
  CHECK(find_guest_link(have, pool, record) == nullptr);
  ObservedLink link;
  link.name = "net1";
  link.kind = "veth";
  link.mac = *Mac::parse("02:00:00:00:00:99");
  have.links = {link};
  CHECK(find_guest_link(have, pool, record) == nullptr);
  have.links[0].alias = link_alias(pool);
  CHECK(find_guest_link(have, pool, record) != nullptr);
  have.links[0].alias.clear();
  have.links[0].mac = record.mac;
  CHECK(find_guest_link(have, pool, record) != nullptr);
  have.links[0].kind = "bridge";
  CHECK(find_guest_link(have, pool, record) == nullptr);
}

}  // namespace particle::test
