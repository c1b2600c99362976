// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "bench_scene.hpp"
#include "harness/statements.hpp"
#include "report/page.hpp"
#include "report/picture.hpp"

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
  json["version"] = 1;
  const auto newer = parse_record(json.dump(), "new.json");
  REQUIRE_FALSE(newer.has_value());
  CHECK(contains(newer.error().message(), "new.json: it has version 1"));
  CHECK(newer.error().kind() == particle::Errc::invalid_argument);

  CHECK(contains(parse_record("{}", "x").error().message(), "no result of particle bench"));
  CHECK(contains(parse_record("[1]", "x").error().message(), "no result of particle bench"));
  CHECK(contains(parse_record("{\"a\":", "x").error().message(), "no JSON"));
  json["version"] = kRecordVersion;
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

TEST_CASE("bench statements: pools against engines' own networks, and the tracer's cost") {
  auto record =
      record_of({figure_of("docker-none", 100, {900}), figure_of("docker-bridge", 100, {2000}),
                 figure_of("docker-particle", 100, {1000})});
  record.traces.push_back({{"own_ms", 1.0}, {"total_ms", 100.0}});
  const auto good = statements(record);
  CHECK(find(good, "100 containers in a Particle pool").holds == true);
  CHECK(contains(find(good, "100 containers in a Particle pool").measured,
                 "docker-none 0.90 times as long, docker-bridge 2.00 times"));
  CHECK(find(good, "particle trace").holds == true);
  record.figures[1].setup_ms = series_of({999});
  record.traces.push_back({{"own_ms", 4.0}, {"total_ms", 100.0}});
  CHECK(find(statements(record), "100 containers in a Particle pool").holds == false);
  CHECK(find(statements(record), "particle trace").holds == false);
}

TEST_CASE("bench report: containers have a section of their own and are in no other figure") {
  const auto page = to_html(
      record_of({figure_of("anyip", 1, {2}), figure_of("docker-bridge", 100, {20000, 20000, 20000}),
                 figure_of("docker-particle", 100, {10000})}));
  CHECK(contains(page, "id=\"containers\""));
  CHECK(contains(page, "20.0 s"));
  CHECK(contains(page, "2.00× a pool"));
  CHECK_FALSE(contains(page, "data-curve=\"docker-bridge\""));
  CHECK_FALSE(contains(to_html(record_of({figure_of("anyip", 1, {2})})), "id=\"containers\""));
}

TEST_CASE("bench report: benchmark programs' results, and table 3.1 where they have it") {
  const std::string text =
      R"([{"program": "bench-overlay", "machine": {"date": "2026-01-01"}, "notes": ["a <note>"],
    "figures": [{"what": "table 3.1, 4 nodes, 101 connections each", "unit": "ms",
                 "value": {"median": 12.5, "q1": 12, "q3": 13}},
                {"what": "announce", "unit": "ms", "ratio": 0.5, "at_most": 1, "met": true,
                 "left": {"name": "static", "value": {"median": 1, "q1": 1, "q3": 1}},
                 "right": {"name": "evpn", "value": {"median": 2, "q1": 2, "q3": 2}}}]}])";
  const auto programs = parse_programs(text, "x.json");
  REQUIRE(programs.has_value());
  auto record = record_of({figure_of("anyip", 1, {2})});
  CHECK_FALSE(contains(to_html(record), "id=\"nodes\""));
  record.programs = *programs;
  const auto page = to_html(record);
  for (const char* part : {"id=\"nodes\"", "15.66 s", "12.5 ms", "id=\"programs\"",
                           "static: 1.00 ms", "a &lt;note&gt;", "<small>met</small>"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
  CHECK(parse_record(to_json(record).dump(), "x")->programs == *programs);
  for (const char* wrong : {"{}", "[]", "[1]", R"([{"program": "p", "figures": []}])", "[",
                            R"([{"program": "p", "machine": {"date": "d"}, "notes": [],
                                 "figures": [{"what": "w", "left": {}}]}])"}) {
    CAPTURE(wrong);
    const auto refused = parse_programs(wrong, "x.json");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind() == particle::Errc::invalid_argument);
  }
}

TEST_CASE(
    "bench report: each chart is a picture of its own, without variables or the page's classes") {
  const auto all = pictures(record_of({figure_of("anyip", 1, {2}), figure_of("anyip", 10, {3})}));
  REQUIRE(all.size() == 3);
  CHECK(all[0].name == "setup");
  for (const auto& picture : all) {
    CAPTURE(picture.name);
    CHECK(picture.svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    CHECK(contains(picture.svg, "viewBox"));
    CHECK_FALSE(contains(picture.svg, "var("));
  }
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
  record.designs.push_back(
      {"<b>bold</b>", "", "<script>alert(1)</script>", "", 1, "\"'&", Kind::endpoints});
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
