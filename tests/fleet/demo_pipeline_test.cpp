// SPDX-License-Identifier: Apache-2.0
// `particle demo --pipeline`: agents, workers and ffmpeg, started and ended by the program.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "e2e/cli_program.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

std::vector<std::string> demo(const std::vector<std::string>& options) {
  std::vector<std::string> words{std::string(PARTICLE_TEST_BIN_DIR) + "/particle", "demo", "--json",
                                 "--pipeline"};
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

}  // namespace

TEST_CASE("demo: a video goes through containers of two nodes whole") {
  if (!need_root()) return;
  Command command(demo({"--seconds", "3"}));
  const CommandResult result = command.finish(std::chrono::minutes(2));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto report = parse_output(result);
  CHECK(schema_violations(report, "demo") == std::vector<std::string>{});
  CHECK(report["proven"] == true);
  CHECK(report["frames_in"] == 75);
  CHECK(report["frames_out"] == 75);
  REQUIRE(report["stages"].size() == 3);
  for (const auto& stage : report["stages"]) CHECK(stage["containers"] == 3);
  CHECK_FALSE(std::filesystem::exists("/run/particle-demo"));
}

TEST_CASE("demo: a video pipeline goes with no option of the other demos") {
  Command command(demo({"--keep", "--seconds", "0"}));
  const CommandResult result = command.finish(std::chrono::seconds(20));
  CHECK(result.exit_code == 2);
  CHECK(result.out.find("goes with --seconds only") != std::string::npos);
}

}  // namespace particle::test
