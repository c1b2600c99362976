// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "runtime/json_text.hpp"

namespace particle::runtime {
namespace {

JsonText parsed_text(const std::string& text) {
  auto json = JsonText::parse(text);
  REQUIRE_MESSAGE(json, json.error().message());
  return *std::move(json);
}

TEST_CASE("json text: values are found where they are") {
  const JsonText json = parsed_text(" { \"a\" : [ 1, \"x]\\\"\" , {} ], \"b\":null }\n");
  const JsonValue* list = json.root().find("a");
  REQUIRE(list != nullptr);
  REQUIRE(list->items.size() == 3);
  CHECK(json.text().substr(list->begin, list->end - list->begin) == R"([ 1, "x]\"" , {} ])");
  CHECK(json.string(&list->items[1]) == "x]\"");
  CHECK(json.string(list->items.data()) == std::nullopt);
  CHECK(json.string(json.root(), "b") == std::nullopt);
  CHECK(json.root().find("c") == nullptr);
}

TEST_CASE("json text: keys are compared decoded, and the last of equal ones counts") {
  const JsonText json = parsed_text(R"({"a":"1","\u0061":"2"})");
  CHECK(json.string(json.root(), "a") == "2");
}

TEST_CASE("json text: what is not changed stays byte for byte") {
  const std::string text =
      "{\n\t\"n\" : 1.50e+3,  \"big\":123456789012345678901234567890, \"-0\":-0,"
      "\n \"u\": \"\\u00e4\\/\", \"x\":{\"y\":1}}  \n";
  const JsonText json = parsed_text(text);
  CHECK(JsonEdits(json).apply() == text);
  JsonEdits edits(json);
  edits.set(*json.root().find("x"), "y", "2");
  std::string expected = text;
  expected.replace(expected.find("\"y\":1"), 5, "\"y\":2");
  CHECK(edits.apply() == expected);
}

TEST_CASE("json text: members are added to full and to empty objects") {
  const JsonText full = parsed_text(R"({"a":1})");
  JsonEdits to_full(full);
  to_full.set(full.root(), "b", "2");
  to_full.set(full.root(), "c", "3");
  CHECK(to_full.apply() == R"({"b":2,"c":3,"a":1})");
  const JsonText empty = parsed_text("{ }");
  JsonEdits to_empty(empty);
  to_empty.set(empty.root(), "b", "2");
  to_empty.set(empty.root(), "c\"", "3");
  CHECK(to_empty.apply() == R"({"b":2,"c\"":3 })");
}

TEST_CASE("json text: arrays are extended and thinned out") {
  const JsonText json = parsed_text(R"({"e":[ ],"f":[1, 2 ,3]})");
  JsonEdits edits(json);
  edits.append(*json.root().find("e"), {"7", "8"});
  edits.rebuild(*json.root().find("f"), {true, false, true}, {"4"});
  CHECK(edits.apply() == R"({"e":[ 7,8],"f":[1,3,4]})");
  JsonEdits more(json);
  more.append(*json.root().find("f"), {"4"});
  CHECK(more.apply() == R"({"e":[ ],"f":[1, 2 ,3,4]})");
}

TEST_CASE("json text: what is no JSON is refused with the parser's words") {
  for (const char* text : {"", "{", "{\"a\":}", "[1,]", "nul", "{\"a\":1}x", "\"\xff\""}) {
    CAPTURE(text);
    const auto json = JsonText::parse(text);
    REQUIRE_FALSE(json);
    CHECK(json.error().kind() == Errc::invalid_argument);
    CHECK_FALSE(json.error().operation.empty());
  }
}

TEST_CASE("json text: nesting without end is refused, not followed") {
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  CHECK_FALSE(JsonText::parse(deep));
  const std::string bearable = std::string(100, '[') + std::string(100, ']');
  CHECK(JsonText::parse(bearable));
}

TEST_CASE("json text: a byte order mark is passed over") {
  CHECK(parsed_text("\xEF\xBB\xBF{\"a\":\"b\"}").string(parsed_text("{\"a\":\"b\"}").root(), "a") ==
        "b");
}

}  // namespace
}  // namespace particle::runtime
