// SPDX-License-Identifier: Apache-2.0
/// `particle demo` from end to end: it proves what it claims, in every way of running it, and leaves
/// the machine as it was.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include <unistd.h>
#include <nlohmann/json.hpp>

#include "cli_program.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

using namespace particle::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr int kExitPermission = 5;

std::string program() {
  return std::string(PARTICLE_TEST_BIN_DIR) + "/particle";
}

/// What a demo could leave: its directories, and mounts of namespaces.
std::set<std::string> traces() {
  std::set<std::string> found;
  for (const char* parent : {"/run", "/tmp"}) {
    for (const auto& entry : fs::directory_iterator(parent)) {
      if (entry.path().filename().string().starts_with("particle-demo")) {
        found.insert(entry.path().string());
      }
    }
  }
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find("particle-demo") != std::string::npos) found.insert(line);
  }
  return found;
}

/// The last line of defence: a demo that hangs must not hang the tests.
constexpr std::chrono::minutes kDemoLimit{2};

CommandResult demo(const std::vector<std::string>& options) {
  std::vector<std::string> words{program(), "demo", "--json"};
  words.insert(words.end(), options.begin(), options.end());
  Command command(words);
  return command.finish(kDemoLimit);
}

void check_proven(const json& report) {
  INFO(report.dump(2));
  CHECK(report.at("proven") == true);
  for (const auto& traffic : report.at("traffic")) {
    CHECK(traffic.at("reached") == traffic.at("wanted"));
    CHECK(traffic.at("wanted") > 0);
  }
  for (const auto& proof : report.at("isolation")) CHECK(proof.at("proven") == true);
  CHECK(report.at("isolation").size() == 4);
  CHECK(report.at("pools").size() == 4);
  for (const auto& pool : report.at("pools")) {
    const auto& timings = pool.at("timings");
    CHECK(timings.at("not_needed").contains("S3"));
    CHECK(timings.at("not_needed").contains("S4"));
    CHECK(timings.at("steps").size() > 4);
  }
}

std::uint64_t connections(const json& report) {
  std::uint64_t all = 0;
  for (const auto& traffic : report.at("traffic"))
    all += traffic.at("reached").get<std::uint64_t>();
  return all;
}

json parse(const CommandResult& result) {
  INFO(result.out);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  return json::parse(result.out);
}

}  // namespace

TEST_CASE("demo: every endpoint connects, tenants are isolated, nothing is left") {
  if (!need_namespaces()) return;
  const auto before = traces();
  for (const char* mode : {"secondary", "anyip"}) {
    CAPTURE(mode);
    const json report = parse(demo({"--endpoints", "5", "--no-baseline", "--mode", mode}));
    check_proven(report);
    // Two tenants: 5 between the nodes, 5 within each of the two nodes.
    CHECK(connections(report) == 2 * 5 * 3);
    for (const auto& pool : report.at("pools")) CHECK(pool.at("pool").at("mode") == mode);
  }
  CHECK(traces() == before);
}

TEST_CASE("demo: both address families, both ends of the range of sizes") {
  if (!need_namespaces()) return;
  const json small =
      parse(demo({"--endpoints", "1", "--no-baseline", "--family", "both", "--mode", "anyip"}));
  check_proven(small);
  CHECK(connections(small) == 2 * 2 * 3);
  const json large =
      parse(demo({"--endpoints", "300", "--no-baseline", "--family", "v6", "--mode", "auto"}));
  check_proven(large);
  CHECK(connections(large) == 2 * 300 * 3);
}

TEST_CASE("demo: the usual ways are done, too, and are slower") {
  if (!need_namespaces()) return;
  const json report = parse(demo({"--endpoints", "3"}));
  check_proven(report);
  REQUIRE(report.at("usual_ways").size() == 3);
  for (const auto& way : report.at("usual_ways")) {
    INFO(way.dump(2));
    if (way.contains("skipped")) {
      skip_component("iproute2", way.at("skipped").get<std::string>());
      continue;
    }
    CHECK(way.at("containers") == 3);
    CHECK(way.at("each_ms") > 0.0);
    CHECK(way.at("ratio") > 0.0);
  }
}

TEST_CASE("demo: an ordinary user runs it in a user namespace") {
  if (geteuid() != 0) {
    const auto result = demo({"--endpoints", "5", "--no-baseline"});
    if (result.exit_code == kExitPermission) return skip("user namespaces are not allowed here");
    check_proven(parse(result));
    return;
  }
  // A copy that the other user can surely read.
  TempRunDir directory;
  fs::permissions(directory.path(), fs::perms(0755));
  const std::string copy = directory.file("particle");
  fs::copy_file(program(), copy);
  const auto before = traces();
  const auto result = run_command({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                   copy, "demo", "--json", "--endpoints", "5", "--no-baseline"});
  if (result.exit_code == kExitPermission) return skip("user namespaces are not allowed here");
  const json report = parse(result);
  check_proven(report);
  CHECK(report.at("unprivileged") == true);
  CHECK(traces() == before);
}

TEST_CASE("demo: Ctrl-C at any moment leaves nothing") {
  if (!need_namespaces()) return;
  const auto before = traces();
  for (const int milliseconds : {20, 60, 150, 400, 900}) {
    for (const bool keep : {false, true}) {
      CAPTURE(milliseconds);
      CAPTURE(keep);
      std::vector<std::string> words{program(), "demo", "--json", "--endpoints", "40"};
      if (keep) words.emplace_back("--keep");
      Command command(words);
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      command.signal(SIGINT);
      const auto result = command.finish(kDemoLimit);
      INFO(result.out);
      INFO(result.err);
      // 128 + SIGINT: so early that the demo had not begun to watch for it.
      CHECK(result.exit_code == kExitInterrupted);
      CHECK(traces() == before);
    }
  }
}

TEST_CASE("demo: kill -9 leaves nothing") {
  if (!need_namespaces()) return;
  const auto before = traces();
  for (const int milliseconds : {60, 300}) {
    Command command({program(), "demo", "--json", "--endpoints", "40"});
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    command.signal(SIGKILL);
    CHECK(command.finish(kDemoLimit).exit_code == 128 + SIGKILL);
    CHECK(traces() == before);
  }
}

TEST_CASE("demo: --keep leaves it up to look around, --remove takes it away") {
  if (geteuid() != 0) return skip("needs root: in a user namespace a process holds the demo");
  if (!need_namespaces()) return;
  const auto before = traces();
  const json report = parse(demo({"--endpoints", "5", "--no-baseline", "--keep"}));
  check_proven(report);
  const std::string directory = report.at("kept").at("directory");
  CHECK(traces() != before);

  for (const auto& line : report.at("kept").at("look_around")) {
    const auto command = line.get<std::string>();
    if (command.find("ping") != std::string::npos) continue;  // a test of its own would need ping
    const auto result = run_command({"sh", "-c", command});
    INFO(command);
    INFO(result.err);
    CHECK(result.exit_code == 0);
    CHECK(!result.out.empty());
  }
  const auto listed = run_command({"nsenter", "--net=" + directory + "/node-a", program(),
                                   "--run-dir", directory, "--json", "list-pools"});
  CHECK(listed.out.find("red-a") != std::string::npos);
  CHECK(listed.out.find("blue-a") != std::string::npos);

  const auto removed = run_command({"sh", "-c", report.at("kept").at("remove").get<std::string>()});
  INFO(removed.err);
  CHECK(removed.exit_code == 0);
  CHECK(traces() == before);
  CHECK(demo({"--remove", directory}).exit_code == kExitNotFound);
}

TEST_CASE("demo: --remove refuses a directory that is not a demo's") {
  TempRunDir directory;
  std::ofstream(directory.file("precious")) << "keep me";
  CHECK(demo({"--remove", directory.path()}).exit_code == kExitNotFound);
  CHECK(fs::exists(directory.file("precious")));
}

TEST_CASE("demo: wrong options are named, all at once") {
  const auto result = run_command({program(), "demo", "--endpoints", "0", "--family", "v5"});
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("--endpoints") != std::string::npos);
  CHECK(result.err.find("--family") != std::string::npos);
  CHECK(demo({"--endpoints", "16383"}).exit_code == 2);
}
