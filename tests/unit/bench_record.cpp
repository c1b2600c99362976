// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "bench_scene.hpp"
#include "harness/statements.hpp"
#include "report/page.hpp"

using namespace particle::bench;
using namespace particle::test;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A baseline at N = 100 whose steps take so many milliseconds.
Figure with_steps(Figure figure, const std::array<double, kSteps>& steps) {
  for (std::size_t i = 0; i < kSteps; ++i) {
    if (steps.at(i) > 0) figure.steps_ms.at(i) = series_of({steps.at(i)});
  }
  return figure;
}

const Statement& find(const std::vector<Statement>& all, const std::string& beginning) {
  for (const auto& each : all) {
    if (each.claim.starts_with(beginning)) return each;
  }
  throw std::runtime_error("no statement begins with " + beginning);
}

}  // namespace

TEST_CASE("bench results: what was written is read again, value by value") {
  auto record =
      record_of({with_steps(figure_of("ip-commands", 100, {1.5, 2.5, 3.5}), {1, 2, 3, 4, 5, 6})});
  record.skipped.push_back({"anyip", 0, "no reason"});
  record.notes.emplace_back("a note");
  const auto again = parse_record(to_json(record).dump(), "results.json");
  REQUIRE(again.has_value());
  CHECK(to_json(*again) == to_json(record));
  const Figure* figure = again->find("ip-commands", 100);
  REQUIRE(figure != nullptr);
  CHECK(figure->setup_ms.values() == std::vector<double>{1.5, 2.5, 3.5});
  CHECK(figure->steps_ms.at(5).median() == 6);
}

TEST_CASE("bench results: another version, another file and a damaged one are refused in words") {
  Json json = to_json(record_of({figure_of("anyip", 1, {1})}));
  json["version"] = 2;
  const auto newer = parse_record(json.dump(), "new.json");
  REQUIRE_FALSE(newer.has_value());
  CHECK(contains(newer.error().message(), "new.json: it has version 2"));
  CHECK(newer.error().kind() == particle::Errc::invalid_argument);

  CHECK(contains(parse_record("{}", "x").error().message(), "no result of particle bench"));
  CHECK(contains(parse_record("[1]", "x").error().message(), "no result of particle bench"));
  CHECK(contains(parse_record("{\"a\":", "x").error().message(), "no JSON"));
  json["version"] = 1;
  json["figures"][0].erase("gone_ms");
  CHECK(contains(parse_record(json.dump(), "x").error().message(), "gone_ms"));
  json["figures"][0]["gone_ms"] = {{"values", {"fast"}}};
  CHECK_FALSE(parse_record(json.dump(), "x").has_value());
}

TEST_CASE("bench statements: decided by the figures, and open without them") {
  for (const auto& each : statements(record_of({}))) {
    CHECK_FALSE(each.holds.has_value());
    CHECK(contains(each.measured, "not measured"));
  }
  const auto good =
      statements(record_of({with_steps(figure_of("ip-commands", 100, {5000}), {5, 5, 40, 40, 5, 5}),
                            with_steps(figure_of("consolidated", 100, {3}), {1, 1, 0, 0, 0, 1}),
                            with_steps(figure_of("consolidated", 1000, {17}), {1, 1, 0, 0, 0, 15}),
                            figure_of("anyip", 1, {2}), figure_of("anyip", 65000, {2.2})}));
  CHECK(find(good, "consolidated at N").holds == true);
  CHECK(find(good, "anyip takes").holds == true);
  CHECK(find(good, "moving veths").holds == true);
  CHECK(contains(find(good, "moving veths").measured, "80.0%"));
  CHECK(contains(
      find(good, "Particle (consolidated) is faster than every other design at N = 100").measured,
      "ip-commands 1667 times"));

  const auto bad =
      statements(record_of({with_steps(figure_of("ip-commands", 100, {2}), {50, 5, 10, 10, 20, 5}),
                            with_steps(figure_of("consolidated", 100, {3}), {1, 1, 0, 0, 0, 1}),
                            with_steps(figure_of("consolidated", 1000, {17}), {1, 1, 0, 0, 0, 5}),
                            figure_of("anyip", 1, {2}), figure_of("anyip", 65000, {9})}));
  CHECK(find(bad, "consolidated at N").holds == false);
  CHECK(find(bad, "anyip takes").holds == false);
  CHECK(find(bad, "moving veths").holds == false);
  CHECK(find(bad, "Particle (consolidated)").holds == false);
}

TEST_CASE("bench report: one file that asks the network for nothing") {
  const auto page = to_html(record_of(
      {figure_of("ip-commands", 1, {60, 61, 62}), figure_of("ip-commands", 100, {6000, 6100, 6200}),
       figure_of("anyip", 1, {2}), figure_of("anyip", 65000, {2})}));
  for (const char* outside : {"http://", "https://", "src=", "@import", "url(", "<link"}) {
    CAPTURE(outside);
    CHECK_FALSE(contains(page, outside));
  }
  for (const char* part : {"id=\"setup\"", "id=\"teardown\"", "id=\"memory\"", "id=\"claims\"",
                           "id=\"scaling\"", "id=\"method\"", "prefers-color-scheme: dark",
                           "name=\"viewport\"", "6.10 s", "10.02 s", "65,000"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
}

TEST_CASE("bench report: what a record says is text, never markup") {
  auto record = record_of({figure_of("<b>bold</b>", 1, {1, 2})});
  record.designs.push_back({"<b>bold</b>", "", "<script>alert(1)</script>", "", 1, "\"'&"});
  record.machine["processor"] = "<img onerror=x>";
  record.notes.emplace_back("</main><script>");
  record.skipped.push_back({"<i>", 1, "<u>"});
  const auto page = to_html(record);
  for (const char* markup : {"<b>", "<script>alert", "<img", "</main><script>", "<i>", "<u>"}) {
    CAPTURE(markup);
    CHECK_FALSE(contains(page, markup));
  }
  CHECK(contains(page, "&lt;img onerror=x&gt;"));
}

TEST_CASE("bench report: an empty record still makes a page that says so") {
  const auto page = to_html(record_of({}));
  CHECK(contains(page, "not measured"));
  for (const char* bad : {"\"nan", "-nan", ">nan", " nan"}) CHECK_FALSE(contains(page, bad));
  CHECK_FALSE(contains(page, "id=\"setup\""));
}

TEST_CASE("bench report: values that were never above zero break no axis") {
  const auto page = to_html(record_of({figure_of("anyip", 1, {0}), figure_of("anyip", 10, {0})}));
  for (const char* bad : {"\"nan", "-nan", ">nan", " nan"}) CHECK_FALSE(contains(page, bad));
  CHECK_FALSE(contains(page, "inf\""));
}

TEST_CASE("bench report: comma-separated values have a line per quantity") {
  const auto csv = to_csv(record_of({figure_of("a,\"b\"", 7, {1, 2, 3})}));
  CHECK(contains(csv, "design,endpoints,what,unit,repeats,median,q1,q3,min,max\r\n"));
  CHECK(contains(csv,
                 "\"a,\"\"b\"\"\",7,setup,ms,3,2.000000,1.500000,2.500000,1.000000,3.000000\r\n"));
}
