// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <particle_sprocket/delivery.hpp>

using namespace particle;
using namespace particle::sprocket;
using nlohmann::json;

namespace {

Item item(std::uint64_t id, std::uint64_t first, std::uint64_t frames) {
  return {.id = id, .type = DataType::frames, .first = first, .span = frames, .frames = frames};
}

std::unique_ptr<DeliveryFunction> make(const char* name, std::size_t ports = 1,
                                       const json& parameters = json::object()) {
  const DeliveryKind* kind = find_delivery(name);
  REQUIRE(kind != nullptr);
  return kind->make(ports, parameters);
}

/// Everything a function fired and let go.
struct Log {
  std::vector<Delivery> fired;
  std::vector<std::uint64_t> let_go;
  void add(const Result<Deliveries>& deliveries) {
    REQUIRE(deliveries);
    fired.insert(fired.end(), deliveries->fired.begin(), deliveries->fired.end());
    let_go.insert(let_go.end(), deliveries->let_go.begin(), deliveries->let_go.end());
  }
  /// Each item once.
  [[nodiscard]] bool let_go_of(std::size_t items) const {
    return let_go.size() == items && std::set(let_go.begin(), let_go.end()).size() == items;
  }
};

std::vector<Item> shuffled(std::vector<Item> items, unsigned seed) {
  std::shuffle(items.begin(), items.end(), std::mt19937(seed));
  return items;
}

constexpr unsigned kOrders = 50;

}  // namespace

TEST_CASE("delivery: names may end in _delivery_func and nothing is the default") {
  CHECK(find_delivery("")->name == "default");
  CHECK(find_delivery("pair_delivery_func")->name == "pair");
  CHECK(find_delivery("nonsense") == nullptr);
}

TEST_CASE("delivery default: one task for each item at once") {
  auto function = make("default");
  Log log;
  log.add(function->on_item(0, item(7, 25, 25)));
  REQUIRE(log.fired.size() == 1);
  CHECK(log.fired[0].inputs == std::vector<std::vector<Slice>>{{{7, 0, 25}}});
  CHECK(log.fired[0].first == 25);
  CHECK(log.let_go_of(1));
  const auto twice = function->on_item(0, item(8, 40, 25));
  REQUIRE(!twice);
  CHECK(twice.error().operation == "frames 40 to 64 came although frames 25 to 49 had come");
}

TEST_CASE("delivery pair: fires when the partner comes in any order") {
  for (unsigned seed = 0; seed < kOrders; ++seed) {
    auto function = make("pair", 2);
    std::vector<Item> items;
    for (std::uint64_t i = 0; i < 8; ++i) {
      items.push_back(item(i, i * 25, 25));
      items.push_back(item(100 + i, i * 25, 25));
    }
    Log log;
    std::set<std::uint64_t> seen;
    for (const Item& each : shuffled(items, seed)) {
      seen.insert(each.id);
      log.add(function->on_item(each.id >= 100 ? 1 : 0, each));
      std::size_t complete = 0;
      for (std::uint64_t i = 0; i < 8; ++i) complete += seen.contains(i) && seen.contains(100 + i);
      CHECK(log.fired.size() == complete);  // no barrier
    }
    for (const Delivery& delivery : log.fired) {
      const std::uint64_t chunk = delivery.first / 25;
      CHECK(delivery.inputs ==
            std::vector<std::vector<Slice>>{{{chunk, 0, 25}}, {{100 + chunk, 0, 25}}});
    }
    log.add(function->on_end());
    CHECK(log.let_go_of(16));
  }
}

TEST_CASE("delivery pair: what has no partner is named and unequal partners are refused") {
  auto function = make("pair", 2);
  REQUIRE(function->on_item(0, item(1, 0, 25)));
  REQUIRE(function->on_item(1, item(2, 25, 25)));
  const auto end = function->on_end();
  REQUIRE(!end);
  CHECK(end.error().details ==
        std::vector<std::string>{"frames 0 to 24 of input 0 have no partner on input 1",
                                 "frames 25 to 49 of input 1 have no partner on input 0"});
  const auto unequal = function->on_item(1, item(3, 0, 24));
  REQUIRE(!unequal);
  CHECK(unequal.error().operation ==
        "pair delivery at frame 0: 24 frames on one input and 25 on another");
}

TEST_CASE("delivery in-order frames: windows cover every frame once whatever the order") {
  for (unsigned seed = 0; seed < kOrders; ++seed) {
    auto function = make("in_order_frames", 1, {{"frames", 10}});
    std::vector<Item> items;
    for (std::uint64_t i = 0; i < 9; ++i) items.push_back(item(i, i * 7, 7));
    Log log;
    for (const Item& each : shuffled(items, seed)) log.add(function->on_item(0, each));
    CHECK(log.fired.size() == 6);  // the last three frames wait for the end
    log.add(function->on_end());
    REQUIRE(log.fired.size() == 7);
    std::uint64_t next = 0;
    for (const Delivery& delivery : log.fired) {
      CHECK(delivery.first == next);
      CHECK(delivery.frames == std::min<std::uint64_t>(10, 63 - next));
      for (const Slice& slice : delivery.inputs.front()) {
        CHECK(slice.item * 7 + slice.offset == next);
        next += slice.frames;
      }
    }
    CHECK(next == 63);
    CHECK(log.let_go_of(9));
  }
}

TEST_CASE("delivery in-order frames: context is what lies before and a gap holds everything back") {
  auto function = make("in_order_frames", 1, {{"context", 2}});
  Log log;
  log.add(function->on_item(0, item(1, 25, 25)));
  CHECK(log.fired.empty());
  log.add(function->on_item(0, item(0, 0, 25)));
  REQUIRE(log.fired.size() == 2);
  CHECK(log.fired[0].context == 0);
  CHECK(log.fired[0].inputs.front() == std::vector<Slice>{{0, 0, 25}});
  CHECK(log.fired[1].context == 2);
  CHECK(log.fired[1].frames == 25);
  CHECK(log.fired[1].inputs.front() == std::vector<Slice>{{0, 23, 2}, {1, 0, 25}});
  log.add(function->on_item(0, item(3, 75, 25)));
  const auto end = function->on_end();
  REQUIRE(!end);
  CHECK(end.error().operation == "in-order delivery: frame 50 never came, later ones did");
}

TEST_CASE("delivery in-order scenes: a scene fires when the next one begins") {
  const auto part = [](std::uint64_t id, std::uint64_t first, std::uint64_t frames, bool starts) {
    Item out = item(id, first, frames);
    out.starts_scene = starts;
    return out;
  };
  const std::vector<Item> parts{part(0, 0, 10, true), part(1, 10, 15, true), part(2, 25, 25, false),
                                part(3, 50, 5, false), part(4, 55, 20, true)};
  for (unsigned seed = 0; seed < kOrders; ++seed) {
    auto function = make("in_order_scenes");
    Log log;
    for (const Item& each : shuffled(parts, seed)) log.add(function->on_item(0, each));
    CHECK(log.fired.size() == 2);
    log.add(function->on_end());
    REQUIRE(log.fired.size() == 3);
    CHECK(log.fired[1].first == 10);
    CHECK(log.fired[1].frames == 45);
    CHECK(log.fired[1].scene == 1);
    CHECK(log.fired[1].inputs.front() == std::vector<Slice>{{1, 0, 15}, {2, 0, 25}, {3, 0, 5}});
    CHECK(log.fired[2].scene == 2);
    CHECK(log.let_go_of(5));
  }
}

TEST_CASE("delivery split: cuts at markers and after so many frames") {
  auto single = make("split");
  Log log;
  log.add(single->on_item(0, item(5, 10, 3)));
  REQUIRE(log.fired.size() == 3);
  CHECK(log.fired[2].inputs.front() == std::vector<Slice>{{5, 2, 1}});
  CHECK(log.let_go_of(1));

  auto both = make("split", 1, {{"frames", 4}});
  Item marked = item(6, 0, 10);
  marked.cuts = {3, 9};
  Log pieces;
  pieces.add(both->on_item(0, marked));
  std::vector<std::uint64_t> begins;
  for (const Delivery& delivery : pieces.fired) begins.push_back(delivery.first);
  CHECK(begins == std::vector<std::uint64_t>{0, 3, 7, 9});
}

TEST_CASE("delivery: dropped frames are refused where all are needed") {
  Item thin = item(1, 0, 25);
  thin.frames = 3;
  CHECK(!make("split")->on_item(0, thin));
  CHECK(!make("in_order_frames", 1, {{"frames", 5}})->on_item(0, thin));
  CHECK(make("default")->on_item(0, thin));
  CHECK(make("in_order_frames")->on_item(0, thin));
}
