// SPDX-License-Identifier: Apache-2.0
#include <set>

#include <doctest/doctest.h>

#include "agent/schedule.hpp"

namespace {

using namespace particle;
using namespace particle::fleet;

const Schedule::Time kNow{std::chrono::seconds(1'700'000'000)};

JobSpec job_of(std::uint32_t retries = 0, std::uint64_t concurrency = 0,
               Placement placement = Placement::round_robin) {
  JobSpec job;
  job.id = "j";
  job.pool = "p";
  job.function.command = {"true"};
  job.function.retries = retries;
  job.concurrency = concurrency;
  job.placement = placement;
  return job;
}

std::vector<InstanceSpec> instances(std::uint64_t count, std::uint64_t first = 0) {
  std::vector<InstanceSpec> out(count);
  for (std::uint64_t i = 0; i < count; ++i) out[i].index = first + i;
  return out;
}

Event done(std::uint64_t instance, Ended how = Ended::ok) {
  Event event;
  event.instance = instance;
  event.phase = Phase::done;
  event.ended = how;
  event.at = kNow;
  return event;
}

std::map<std::string, std::size_t> nodes_of(const std::vector<Schedule::Start>& starts) {
  std::map<std::string, std::size_t> out;
  for (const auto& start : starts) ++out[start.node];
  return out;
}

std::vector<Event> ends_of(const std::vector<Event>& events) {
  std::vector<Event> out;
  for (const Event& event : events) {
    if (event.phase == Phase::done) out.push_back(event);
  }
  return out;
}

using Count = std::map<std::string, std::size_t>;

}  // namespace

TEST_CASE("schedule: round robin gives each node its turn until it is full") {
  Schedule schedule(job_of(), "n1");
  schedule.add_node("n1", 2);
  schedule.add_node("n2", 10);
  schedule.add_node("n3", 10);
  REQUIRE(schedule.add(instances(12), kNow));
  CHECK(nodes_of(schedule.take_starts()) == Count{{"n1", 2}, {"n2", 5}, {"n3", 5}});
}

TEST_CASE("schedule: most-free fills the emptiest node first") {
  Schedule schedule(job_of(0, 0, Placement::most_free), "n1");
  schedule.add_node("n1", 2);
  schedule.add_node("n2", 10);
  REQUIRE(schedule.add(instances(8), kNow));
  CHECK(nodes_of(schedule.take_starts()) == Count{{"n2", 8}});
  REQUIRE(schedule.add(instances(4, 100), kNow));
  CHECK(nodes_of(schedule.take_starts()) == Count{{"n1", 2}, {"n2", 2}});
}

TEST_CASE(
    "schedule: more instances than endpoints wait and are told so and start when others end") {
  Schedule schedule(job_of(), "n1");
  schedule.add_node("n1", 1);
  schedule.add_node("n2", 1);
  REQUIRE(schedule.add(instances(3), kNow));
  CHECK(schedule.take_starts().size() == 2);
  const auto events = schedule.take_events();
  CHECK(events.back().instance == 2);
  CHECK(events.back().phase == Phase::queued);
  CHECK(events.back().detail == "waits for a free endpoint of pool p");
  CHECK(schedule.take_starts().empty());
  schedule.hear("n2", 0, done(1));
  const auto next = schedule.take_starts();
  REQUIRE(next.size() == 1);
  CHECK(next[0].node == "n2");
  CHECK(next[0].instance.index == 2);
}

TEST_CASE("schedule: concurrency holds over all nodes") {
  Schedule schedule(job_of(0, 3), "n1");
  schedule.add_node("n1", 10);
  schedule.add_node("n2", 10);
  REQUIRE(schedule.add(instances(10), kNow));
  CHECK(schedule.take_starts().size() == 3);
  CHECK(schedule.take_events().back().detail == "waits for its turn: 3 run at once");
  schedule.hear("n1", 0, done(0));
  CHECK(schedule.take_starts().size() == 1);
}

TEST_CASE("schedule: the instances of a lost node run again elsewhere while retries allow") {
  Schedule schedule(job_of(1), "n1");
  schedule.add_node("n1", 10);
  schedule.add_node("n2", 10);
  REQUIRE(schedule.add(instances(4), kNow));
  static_cast<void>(schedule.take_starts());
  static_cast<void>(schedule.take_events());
  schedule.lose_node("n2", "the connection is closed", kNow);
  const auto again = schedule.take_starts();
  CHECK(nodes_of(again) == Count{{"n1", 2}});
  for (const auto& start : again) CHECK(start.attempt == 1);
  const auto lost = ends_of(schedule.take_events());
  REQUIRE(lost.size() == 2);
  CHECK(lost[0].ended == Ended::lost);
  CHECK(lost[0].node == "n2");
  CHECK(lost[0].detail == "node n2 is lost: the connection is closed");
  // What the lost node still says counts no more.
  schedule.hear("n2", 0, done(again[0].instance.index));
  CHECK(schedule.take_events().empty());
  schedule.finish();
  for (const std::uint64_t i : {0U, 1U, 2U, 3U}) {
    const auto place = schedule.place_of(i);
    REQUIRE(place);
    schedule.hear("n1", place->attempt, done(i));
  }
  CHECK(schedule.over());
}

TEST_CASE("schedule: without retries a lost instance ends as lost") {
  Schedule schedule(job_of(), "n1");
  schedule.add_node("n1", 10);
  schedule.add_node("n2", 10);
  REQUIRE(schedule.add(instances(2), kNow));
  static_cast<void>(schedule.take_starts());
  schedule.lose_node("n2", "gone", kNow);
  const auto ends = ends_of(schedule.take_events());
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].ended == Ended::lost);
  CHECK(is_last(ends[0], 0));
  CHECK(schedule.alive() == 1);
}

TEST_CASE("schedule: without spare nodes a lost instance fails clearly") {
  Schedule schedule(job_of(3), "n1");
  schedule.add_node("n2", 10);
  REQUIRE(schedule.add(instances(1), kNow));
  static_cast<void>(schedule.take_starts());
  schedule.finish();
  schedule.lose_node("n2", "gone", kNow);
  const auto ends = ends_of(schedule.take_events());
  REQUIRE(ends.size() == 2);
  CHECK(ends[0].ended == Ended::lost);
  CHECK_FALSE(is_last(ends[0], 3));
  CHECK(ends[1].ended == Ended::refused);
  CHECK(ends[1].attempt == 1);
  CHECK(ends[1].detail == "no node with pool p is left");
  CHECK(is_last(ends[1], 3));
  CHECK(schedule.over());
}

TEST_CASE("schedule: an instance that must be on a lost node is not put elsewhere") {
  Schedule schedule(job_of(3), "n1");
  schedule.add_node("n1", 10);
  schedule.add_node("n2", 10);
  auto pinned = instances(1);
  pinned[0].node = "n2";
  REQUIRE(schedule.add(pinned, kNow));
  CHECK(nodes_of(schedule.take_starts()) == Count{{"n2", 1}});
  schedule.lose_node("n2", "gone", kNow);
  CHECK(schedule.take_starts().empty());
  CHECK(ends_of(schedule.take_events()).back().detail == "node n2, which it must be on, is lost");
}

TEST_CASE("schedule: what failed is tried again on another node where there is one") {
  Schedule schedule(job_of(2), "n1");
  schedule.add_node("n1", 10);
  schedule.add_node("n2", 10);
  REQUIRE(schedule.add(instances(1), kNow));
  const auto first = schedule.take_starts();
  schedule.hear(first[0].node, 0, done(0, Ended::failed));
  const auto second = schedule.take_starts();
  REQUIRE(second.size() == 1);
  CHECK(second[0].node != first[0].node);
  schedule.hear(second[0].node, 1, done(0, Ended::timed_out));
  const auto third = schedule.take_starts();
  REQUIRE(third.size() == 1);
  CHECK(third[0].attempt == 2);
  schedule.hear(third[0].node, 2, done(0, Ended::failed));
  CHECK(schedule.take_starts().empty());
  CHECK(schedule.alive() == 0);
}

TEST_CASE("schedule: what was refused is not tried again") {
  Schedule schedule(job_of(2), "n1");
  schedule.add_node("n1", 10);
  REQUIRE(schedule.add(instances(1), kNow));
  const auto starts = schedule.take_starts();
  schedule.refuse(starts[0], Error::of(Errc::not_found, "image"), kNow);
  CHECK(schedule.take_starts().empty());
  CHECK(ends_of(schedule.take_events())[0].ended == Ended::refused);
}

TEST_CASE("schedule: kill ends what waits and starts nothing more") {
  Schedule schedule(job_of(5, 1), "n1");
  schedule.add_node("n1", 10);
  REQUIRE(schedule.add(instances(3), kNow));
  CHECK(schedule.take_starts().size() == 1);
  schedule.kill(kNow);
  schedule.finish();
  CHECK(ends_of(schedule.take_events()).size() == 2);
  CHECK_FALSE(schedule.over());
  schedule.hear("n1", 0, done(0, Ended::signalled));
  CHECK(ends_of(schedule.take_events())[0].ended == Ended::killed);
  CHECK(schedule.take_starts().empty());
  CHECK(schedule.over());
}

TEST_CASE("schedule: bad lists are refused as a whole") {
  Schedule schedule(job_of(), "n1");
  schedule.add_node("n1", 10);
  auto twice = instances(2);
  twice[1].index = 0;
  twice[0].environment = {"NOVALUE"};
  const auto faults = schedule.add(twice, kNow);
  REQUIRE_FALSE(faults);
  CHECK(faults.error().kind() == Errc::invalid_argument);
  CHECK(faults.error().details.size() == 2);
  auto elsewhere = instances(2);
  elsewhere[1].node = "n9";
  CHECK(schedule.add(elsewhere, kNow).error().kind() == Errc::not_found);
  CHECK(schedule.alive() == 0);
  REQUIRE(schedule.add(instances(2), kNow));
  CHECK(schedule.add(instances(1, 1), kNow).error().kind() == Errc::already_exists);
}

TEST_CASE("schedule: ten thousand instances over ten nodes all end once") {
  Schedule schedule(job_of(1), "n0");
  for (int i = 0; i < 10; ++i) schedule.add_node("n" + std::to_string(i), 50);
  REQUIRE(schedule.add(instances(10'000), kNow));
  schedule.finish();
  std::multiset<std::uint64_t> ended;
  int turn = 0;
  while (!schedule.over()) {
    const auto starts = schedule.take_starts();
    REQUIRE_FALSE(starts.empty());
    for (const auto& start : starts) {
      const bool fails = start.attempt == 0 && start.instance.index % 7 == 0;
      schedule.hear(start.node, start.attempt,
                    done(start.instance.index, fails ? Ended::failed : Ended::ok));
    }
    if (++turn == 5) schedule.lose_node("n3", "gone", kNow);
    for (const Event& event : schedule.take_events()) {
      if (is_last(event, 1)) ended.insert(event.instance);
    }
  }
  CHECK(ended.size() == 10'000);
  CHECK(std::set<std::uint64_t>(ended.begin(), ended.end()).size() == 10'000);
}
