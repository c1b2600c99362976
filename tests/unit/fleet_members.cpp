// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "agent/member_list.hpp"

namespace {

using namespace particle::fleet;
using namespace std::chrono_literals;

std::string entry(const std::string& address) {
  return MemberEntry{address, "node-1 " + address}.to_text();
}

std::string names(const MemberList& list, MemberList::Time now) {
  std::string out;
  for (const AgentPeer& peer : list.peers(now)) out += peer.name + "=" + peer.address + " ";
  return out;
}

}  // namespace

TEST_CASE("fleet members: entries read back, and what is none is refused and said") {
  const auto read = MemberEntry::parse(entry("192.0.2.1:4790"));
  REQUIRE(read);
  CHECK(read->address == "192.0.2.1:4790");
  CHECK(read->owner == "node-1 192.0.2.1:4790");
  CHECK(MemberEntry::parse(R"({"address":"[2001:db8::1]:1","owner":"x","later":true})"));
  MemberList list;
  const MemberList::Time now{};
  CHECK_FALSE(list.put("n1", entry("192.0.2.1:4790")));
  CHECK(names(list, now) == "n1=192.0.2.1:4790 ");
  for (const char* text : {"", "[]", "{}", R"({"address":"here","owner":"x"})",
                           R"({"address":"192.0.2.1:4790","owner":7})", "\xff\xfe"}) {
    CAPTURE(text);
    CHECK(list.put("n2", text).value_or("").find("node \"n2\"") != std::string::npos);
  }
  CHECK(list.put("n/3", entry("192.0.2.3:4790")));
  CHECK(list.put("", entry("192.0.2.3:4790")));
  // What turns bad is no member any more.
  CHECK(list.put("n1", "nonsense"));
  CHECK(names(list, now).empty());
}

TEST_CASE("fleet members: after an outage those that are missing have time to come back") {
  MemberList list;
  const MemberList::Time now{};
  list.replace(
      {{"a", entry("192.0.2.1:1")}, {"b", entry("192.0.2.2:1")}, {"c", entry("192.0.2.3:1")}},
      std::nullopt);
  // Only a is there at first, and has another address.
  list.replace({{"a", entry("192.0.2.9:1")}}, now + 30s);
  CHECK(names(list, now + 29s) == "a=192.0.2.9:1 b=192.0.2.2:1 c=192.0.2.3:1 ");
  CHECK_FALSE(list.put("b", entry("192.0.2.2:2")));
  list.erase("nobody");
  CHECK(names(list, now + 30s) == "a=192.0.2.9:1 b=192.0.2.2:2 ");
  // A second outage gives c no more time.
  list.replace({{"a", entry("192.0.2.9:1")}, {"b", entry("192.0.2.2:2")}}, now + 60s);
  CHECK(names(list, now + 31s) == "a=192.0.2.9:1 b=192.0.2.2:2 ");
  list.erase("a");
  CHECK(names(list, now + 31s) == "b=192.0.2.2:2 ");
}

TEST_CASE("fleet members: a list without an outage before it is all there is") {
  MemberList list;
  list.replace({{"a", entry("192.0.2.1:1")}, {"b", entry("192.0.2.2:1")}}, std::nullopt);
  list.replace({{"b", entry("192.0.2.2:1")}, {"d", "nonsense"}}, std::nullopt);
  CHECK(names(list, {}) == "b=192.0.2.2:1 ");
}
