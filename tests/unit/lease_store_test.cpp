// SPDX-License-Identifier: Apache-2.0
// Taking, releasing and listing; cool-downs; refusals.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "unit/lease_scene.hpp"

using namespace particle;
using namespace particle::test::lease;

TEST_CASE("lease store: never-used endpoints come first, in order") {
  Clocked at;
  TakeRequest first = request("a", 10, 2);
  first.first_index = 1;
  CHECK(taken(at.store, first) == Indices{1, 2});
  must(at.store.release("acme", "a", {}, 0ms));
  first.count = 7;
  CHECK(taken(at.store, first) == Indices{3, 4, 5, 6, 7, 8, 9});
  first.count = 2;
  CHECK(taken(at.store, first) == Indices{1, 2});
}

TEST_CASE("lease store: a row says who holds what, since when and for which process") {
  Clocked at;
  const auto before = std::chrono::system_clock::now() - 1ms;
  TakeRequest one = request("c42", 10);
  one.process = ProcessId{.pid = 7, .start_time = 12345678901234567890U};
  const auto row = must(at.store.take(one)).at(0);
  CHECK(row.since >= before);
  CHECK(row.since <= std::chrono::system_clock::now());
  const auto listed = must(at.store.list());
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].pool == "acme");
  CHECK(listed[0].index == 0);
  CHECK(listed[0].holder == "c42");
  CHECK(listed[0].since == row.since);
  CHECK(listed[0].process == one.process);
}

TEST_CASE("lease store: leases are listed by pool, by holder and by both, in order") {
  Clocked at;
  must(at.store.take(named("b", 5)));
  must(at.store.take(request("a", 10, 2)));
  TakeRequest other = request("a", 10);
  other.pool = "Zeta";
  must(at.store.take(other));
  CHECK(indices(must(at.store.list())) == Indices{0, 0, 1, 5});
  CHECK(indices(must(at.store.list("acme"))) == Indices{0, 1, 5});
  CHECK(indices(must(at.store.list({}, "a"))) == Indices{0, 0, 1});
  CHECK(must(at.store.list({}, "a")).at(0).pool == "Zeta");
  CHECK(indices(must(at.store.list("acme", "a"))) == Indices{0, 1});
  CHECK(must(at.store.list("none")).empty());
}

TEST_CASE("lease store: pools do not disturb each other") {
  Clocked at;
  TakeRequest other = request("a", 1);
  other.pool = "beta";
  CHECK(taken(at.store, request("a", 1)) == Indices{0});
  CHECK(taken(at.store, other) == Indices{0});
  must(at.store.release("acme", "a", {}, 1s));
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 0, .cooling = 1});
  CHECK(must(at.store.usage("beta")) == Usage{.leased = 1, .cooling = 0});
  CHECK(must(at.store.usage("none")) == Usage{});
}

TEST_CASE("lease store: a released endpoint rests for its cool-down") {
  Clocked at;
  must(at.store.take(request("a", 1)));
  must(at.store.release("acme", "a", {}, 1s));
  CHECK(must(at.store.next_cooled("acme")) == std::optional<nanoseconds>{1s});
  *at.now += 400ms;

  TakeRefusal why;
  const auto refused = at.store.take(request("b", 1), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(refused.error().operation == "pool acme: 0 of 1 endpoints free (0 held, 1 cooling down)");
  CHECK(refused.error().details == std::vector<std::string>{"the next is free in 600 ms"});
  CHECK(why.wait == std::optional<nanoseconds>{600ms});

  *at.now += 600ms;
  CHECK(must(at.store.next_cooled("acme")) == std::optional<nanoseconds>{0ns});
  CHECK(must(at.store.usage("acme")) == Usage{});
  CHECK(taken(at.store, request("b", 1)) == Indices{0});
  CHECK_FALSE(must(at.store.next_cooled("acme")).has_value());
}

TEST_CASE("lease store: the endpoint that has rested longest goes first") {
  Clocked at;
  for (const auto* holder : {"a", "b", "c"}) must(at.store.take(request(holder, 3)));
  for (const auto* holder : {"b", "c", "a"}) {
    *at.now += 1ms;
    must(at.store.release("acme", holder, {}, 10ms));
  }
  *at.now += 1s;
  CHECK(taken(at.store, request("d", 3)) == Indices{1});
  CHECK(taken(at.store, request("d", 3, 2)) == Indices{2, 0});
}

TEST_CASE("lease store: a batch waits until enough endpoints have cooled") {
  Clocked at;
  for (const auto* holder : {"a", "b", "c"}) must(at.store.take(request(holder, 4)));
  must(at.store.release("acme", "a", {}, 1s));
  must(at.store.release("acme", "b", {}, 2s));
  TakeRefusal why;
  const auto refused = at.store.take(request("d", 4, 3), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(why.wait == std::optional<nanoseconds>{2s});
  CHECK(refused.error().details == std::vector<std::string>{"enough are free in 2000 ms"});
  *at.now += 2s;
  CHECK(taken(at.store, request("d", 4, 3)) == Indices{3, 0, 1});
}

TEST_CASE("lease store: a cool-down that was shortened shortens the rests under way") {
  Clocked at;
  must(at.store.take(request("a", 1)));
  must(at.store.release("acme", "a", {}, 1h));
  TakeRequest impatient = request("b", 1);
  impatient.cooldown = 1s;
  TakeRefusal why;
  CHECK_FALSE(at.store.take(impatient, &why));
  CHECK(why.wait == std::optional<nanoseconds>{1s});
  *at.now += 1s;
  CHECK(taken(at.store, impatient) == Indices{0});
}

TEST_CASE("lease store: a full pool says how its endpoints are used") {
  Clocked at;
  must(at.store.take(request("a", 254, 250)));
  must(at.store.take(request("b", 254, 4)));
  must(at.store.release("acme", "b", {}, 1s));
  const auto refused = at.store.take(request("c", 254, 5));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::exhausted);
  CHECK(refused.error().operation ==
        "pool acme: 0 of 254 endpoints free (250 held, 4 cooling down), 5 wanted");

  CHECK(at.store.take(request("b", 254)).error().kind() == Errc::busy);
  *at.now += 1s;
  must(at.store.take(request("b", 254, 4)));
  const auto full = at.store.take(request("c", 254));
  REQUIRE_FALSE(full);
  CHECK(full.error().kind() == Errc::exhausted);
  CHECK(full.error().operation == "pool acme: 0 of 254 endpoints free (254 held, 0 cooling down)");
}

TEST_CASE("lease store: a batch that does not fit changes nothing") {
  Clocked at;
  must(at.store.take(request("a", 10, 4)));
  for (const std::uint64_t count : {std::uint64_t{7}, std::uint64_t{11}, ~std::uint64_t{0}}) {
    const auto refused = at.store.take(request("b", 10, count));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::exhausted);
  }
  CHECK(must(at.store.list()).size() == 4);
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 4, .cooling = 0});
  CHECK(taken(at.store, request("b", 10, 6)) == Indices{4, 5, 6, 7, 8, 9});
}

TEST_CASE("lease store: a named endpoint goes to one holder, who may ask again") {
  Clocked at;
  CHECK(taken(at.store, named("a", 7)) == Indices{7});
  const auto first = must(at.store.list()).at(0);
  CHECK(taken(at.store, named("a", 7)) == Indices{7});
  CHECK(must(at.store.list()).at(0).since == first.since);
  CHECK(must(at.store.usage("acme")).leased == 1);

  TakeRefusal why;
  const auto refused = at.store.take(named("b", 7), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(refused.error().operation == "pool acme: 7 is held by a");
  CHECK(why.index == std::optional<std::uint64_t>{7});
  CHECK(why.holder == "a");
  CHECK_FALSE(why.wait.has_value());
}

TEST_CASE("lease store: asking again for a named endpoint binds it to the new process") {
  Clocked at;
  TakeRequest one = named("a", 7);
  one.process = ProcessId{.pid = 1, .start_time = 1};
  must(at.store.take(one));
  one.process = ProcessId{.pid = 2, .start_time = 2};
  CHECK(must(at.store.take(one)).at(0).process == one.process);
  CHECK(must(at.store.list()).at(0).process == one.process);
  must(at.store.take(named("a", 7)));
  CHECK(must(at.store.list()).at(0).process == one.process);
}

TEST_CASE("lease store: a named endpoint that cools down says for how long") {
  Clocked at;
  must(at.store.take(named("a", 7)));
  must(at.store.release("acme", "a", 7, 1s));
  TakeRefusal why;
  const auto refused = at.store.take(named("a", 7), &why);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::busy);
  CHECK(refused.error().operation == "pool acme: 7 is cooling down");
  CHECK(refused.error().details == std::vector<std::string>{"it is free in 1000 ms"});
  CHECK(why.holder.empty());
  CHECK(why.wait == std::optional<nanoseconds>{1s});
  *at.now += 1s;
  CHECK(taken(at.store, named("a", 7)) == Indices{7});
}

TEST_CASE("lease store: the cursor passes over named endpoints, held or resting") {
  Clocked at;
  must(at.store.take(named("a", 1)));
  must(at.store.take(named("a", 2)));
  must(at.store.take(named("b", 4)));
  must(at.store.release("acme", "b", 4, 1s));
  CHECK(taken(at.store, request("c", 6, 3)) == Indices{0, 3, 5});
  *at.now += 1s;
  CHECK(taken(at.store, request("c", 6)) == Indices{4});
}

TEST_CASE("lease store: a refusal keeps no endpoint back") {
  Clocked at;
  for (std::uint64_t index = 0; index < 9; ++index) must(at.store.take(named("a", index)));
  CHECK_FALSE(at.store.take(request("b", 10, 2)));
  CHECK(taken(at.store, request("b", 10)) == Indices{9});
  CHECK_FALSE(at.store.take(request("b", 10)));
  CHECK(taken(at.store, request("b", 11)) == Indices{10});
}

TEST_CASE("lease store: nonsense is refused before anything is touched") {
  Clocked at;
  std::vector<TakeRequest> rows{request("a", 10, 0), request("", 10),     named("a", 10),
                                named("a", 3),       request("a", ~0ULL), named("a", 0)};
  rows[3].count = 2;
  rows[5].first_index = 1;
  for (const auto& row : rows) {
    const auto refused = at.store.take(row);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == Errc::invalid_argument);
  }
  CHECK(must(at.store.list()).empty());
}

TEST_CASE("lease store: release gives back all of a holder's endpoints, or one") {
  Clocked at;
  must(at.store.take(request("a", 10, 4)));
  must(at.store.take(request("b", 10)));
  CHECK(indices(must(at.store.release("acme", "a", 2, 0ms))) == Indices{2});
  CHECK(must(at.store.release("acme", "a", 4, 0ms)).empty());
  CHECK(must(at.store.release("acme", "nobody", {}, 0ms)).empty());
  CHECK(must(at.store.release("other", "a", {}, 0ms)).empty());
  CHECK(indices(must(at.store.release("acme", "a", {}, 0ms))) == Indices{0, 1, 3});
  CHECK(must(at.store.release("acme", "a", {}, 0ms)).empty());
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 1, .cooling = 0});
}

TEST_CASE("lease store: highest looks at leases only") {
  Clocked at;
  CHECK_FALSE(must(at.store.highest("acme")).has_value());
  must(at.store.take(request("a", 10, 3)));
  must(at.store.take(named("b", 8)));
  CHECK(must(at.store.highest("acme")) == std::optional<std::uint64_t>{8});
  must(at.store.release("acme", "b", {}, 1h));
  CHECK(must(at.store.highest("acme")) == std::optional<std::uint64_t>{2});
}

TEST_CASE("lease store: forgotten endpoints are as never used") {
  Clocked at;
  must(at.store.take(request("a", 10, 6)));
  must(at.store.release("acme", "a", 5, 1h));
  must(at.store.release("acme", "a", 0, 1h));
  CHECK(must(at.store.forget("acme", 3)) == 2);
  CHECK(must(at.store.usage("acme")) == Usage{.leased = 2, .cooling = 1});
  CHECK(indices(must(at.store.list())) == Indices{1, 2});
  CHECK(taken(at.store, request("b", 10, 7)) == Indices{3, 4, 5, 6, 7, 8, 9});
  CHECK(must(at.store.forget("acme", 0)) == 9);
  CHECK(must(at.store.forget("acme", 0)) == 0);
  CHECK(must(at.store.usage("acme")) == Usage{});
  CHECK(taken(at.store, request("b", 1)) == Indices{0});
}
