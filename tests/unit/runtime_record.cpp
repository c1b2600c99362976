// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <particle/pool.hpp>

#include "runtime/record.hpp"
#include "runtime/settings.hpp"

namespace particle::runtime {
namespace {

const Record kRecord{.id = "c1",
                     .root = "/run/runc",
                     .bundle = "/b",
                     .node = "0123abcd-7",
                     .pool = "acme",
                     .holder = "c1.0123456789ab",
                     .rewritten = "00ff"};

TEST_CASE("runtime record: what is written is what is read") {
  const auto read = parse_record(to_text(kRecord), "/r");
  REQUIRE(read);
  CHECK(*read == kRecord);
}

TEST_CASE("runtime record: cut off, corrupted or later ones are refused by name") {
  const std::string text = to_text(kRecord);
  for (std::size_t size = 0; size + 2 < text.size(); ++size) {
    const auto read = parse_record(text.substr(0, size), "/r/record.json");
    REQUIRE_FALSE(read);
    CHECK(read.error().kind() == Errc::corrupt_state);
    CHECK(read.error().operation.starts_with("/r/record.json"));
  }
  CHECK(parse_record(R"({"version":2})", "/r").error().kind() == Errc::unsupported);
  CHECK(parse_record(R"({"version":1,"id":7})", "/r").error().kind() == Errc::corrupt_state);
}

TEST_CASE("runtime record: holders differ where containers differ, and are proper names") {
  const std::string holder = holder_name("/run/runc", "c1");
  CHECK(holder.starts_with("c1."));
  CHECK(holder == holder_name("/run/runc", "c1"));
  CHECK(holder != holder_name("/run/other", "c1"));
  CHECK(holder != holder_name("/run/runc", "c2"));
  CHECK(holder_name("/a", "b") != holder_name("/", "ab"));
  for (const std::string& id : {std::string("a+b"), std::string("../../etc"), std::string("-x"),
                                std::string(1000, 'x'), std::string("ä"), std::string()}) {
    CAPTURE(id);
    CHECK(check_name("holder", holder_name("/run/runc", id), 255));
  }
}

TEST_CASE("runtime settings: every key, and none but these") {
  const auto settings = parse_settings(
      R"({"runtime":"/usr/sbin/runc","runDir":"/run/p","poolFromEnvironment":false})");
  REQUIRE(settings);
  CHECK(settings->runtime == "/usr/sbin/runc");
  CHECK(settings->run_dir == "/run/p");
  CHECK_FALSE(settings->pool_from_environment);
  const auto unknown = parse_settings(R"({"runtim":"/x"})");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message().find("runtim") != std::string::npos);
  for (const char* text :
       {"", "[]", R"({"runtime":"runc"})", R"({"runDir":7})", R"({"poolFromEnvironment":"yes"})"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_settings(text));
  }
}

}  // namespace
}  // namespace particle::runtime
