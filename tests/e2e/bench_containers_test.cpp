// SPDX-License-Identifier: Apache-2.0
/// `particle bench` with real container engines: every one works, and none outlives it.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <unistd.h>

#include "cli_program.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

using namespace particle::test;
using Json = nlohmann::json;
using Words = std::vector<std::string>;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes kContainersLimit{3};

/// Designs that start containers.
std::vector<std::string> container_designs() {
  std::vector<std::string> out;
  const Json list = parse_output(run_particle({"bench", "list", "--json"}));
  for (const auto& design : list.at("designs")) {
    if (design.at("kind") == "containers") out.push_back(design.at("name"));
  }
  return out;
}

/// Why the design cannot run here; then the test is marked as skipped.
bool is_missing(const std::string& name) {
  if (!need_root()) return true;
  const Json list = parse_output(run_particle({"bench", "list", "--json"}));
  for (const auto& design : list.at("designs")) {
    if (design.at("name") != name || design.at("missing").get<std::string>().empty()) continue;
    skip_component(name, design.at("missing").get<std::string>());
    return true;
  }
  return false;
}

/// Control groups of benchmarks' containers, of this machine.
std::vector<std::string> groups() {
  std::vector<std::string> out;
  std::error_code none;
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", none)) {
    for (const auto& group : fs::directory_iterator(hierarchy.path(), none)) {
      const std::string name = group.path().filename();
      if (name.starts_with("particle-bench-")) out.push_back(group.path());
    }
  }
  return out;
}

/// Processes that an engine's box holds, wherever they are: their environment tells.
std::vector<std::string> processes() {
  std::vector<std::string> out;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/proc", none)) {
    std::ifstream file(entry.path() / "environ");
    std::ostringstream text;
    text << file.rdbuf();
    if (text.str().find("PARTICLE_RUN_DIR=/run/particle-bench.") != std::string::npos) {
      out.push_back(entry.path().filename());
    }
  }
  return out;
}

template <class Condition>
bool within(std::chrono::seconds limit, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

Words burst_words() {
  return {particle_program(), "bench", "--design",        "docker-bridge", "--endpoints", "60",
          "--repeats",        "50",    "--although-busy", "--json"};
}

/// The burst is under way: the warm-up runs one container, a burst many, with a control group each.
bool many_containers() {
  for (const auto& group : groups()) {
    std::error_code none;
    const fs::directory_iterator inner(group, none);
    const auto containers = std::count_if(begin(inner), end(inner),
                                          [](const auto& entry) { return entry.is_directory(); });
    if (containers > 3) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("bench containers: every engine starts and removes them, in every network, and is gone") {
  if (!need_root()) return;
  const auto designs = container_designs();
  CHECK(designs.size() == 10);
  Words words{"bench", "--endpoints", "2", "--repeats", "1", "--although-busy", "--json"};
  for (const auto& design : designs) words.insert(words.end(), {"--design", design});
  const auto result = run_particle(words);
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json record = parse_output(result);
  CHECK(schema_violations(record, "bench") == Words{});
  CHECK(record.at("figures").size() + record.at("skipped").size() == designs.size());
  for (const auto& figure : record.at("figures")) {
    CAPTURE(figure.at("design").get<std::string>());
    const double setup = figure.at("setup_ms").at("median");
    CHECK(setup > 1);
    CHECK(figure.at("gone_ms").at("median") >= figure.at("release_ms").at("median"));
    CHECK(figure.at("process_kib_each").at("median") > 0);
  }
  CHECK(processes().empty());
  CHECK(groups().empty());
  for (const auto& skipped : record.at("skipped")) {
    const std::string why = skipped.at("why");
    INFO(why);
    REQUIRE(why.find("apt install") != std::string::npos);
    skip_component(skipped.at("design").get<std::string>(), why);
  }
}

TEST_CASE("bench containers: Ctrl-C in a burst leaves no container, daemon or control group") {
  if (is_missing("docker-bridge")) return;
  Command command(burst_words());
  REQUIRE(within(kContainersLimit, many_containers));
  CHECK_FALSE(processes().empty());
  command.signal(SIGINT);
  const auto result = command.finish(kContainersLimit);
  INFO(result.err);
  CHECK(result.exit_code == kExitInterrupted);
  CHECK(processes().empty());
  CHECK(groups().empty());
}

TEST_CASE("bench containers: kill -9 ends every daemon, and the next run removes what is left") {
  if (is_missing("docker-bridge")) return;
  Command command(burst_words());
  REQUIRE(within(kContainersLimit, many_containers));
  CHECK_FALSE(processes().empty());
  command.signal(SIGKILL);
  CHECK(command.finish(kContainersLimit).exit_code == 128 + SIGKILL);
  CHECK(within(std::chrono::seconds(20), [] { return processes().empty(); }));
  const auto next = run_particle({"bench", "--design", "docker-none", "--endpoints", "1",
                                  "--repeats", "1", "--although-busy", "--json"});
  INFO(next.err);
  CHECK(next.exit_code == 0);
  CHECK(groups().empty());
}

TEST_CASE(
    "bench containers: an engine that is not here is skipped by name, with how to install it") {
  if (!need_root()) return;
  TempRunDir directory;
  // Neither components nor PATH; what the system itself has is still found.
  const auto result =
      run_command({"env", "PARTICLE_COMPONENTS=" + directory.path(), "PATH=/nowhere",
                   particle_program(), "bench", "--design", "podman-none", "--design", "anyip",
                   "--endpoints", "1", "--repeats", "1", "--although-busy", "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json record = Json::parse(result.out);
  CHECK(record.at("figures").at(0).at("design") == "anyip");
  if (fs::exists("/usr/bin/podman")) return skip("podman is installed on this machine");
  REQUIRE(record.at("skipped").size() == 1);
  CHECK(record.at("skipped")[0].at("why").get<std::string>().find(
            "there is no podman: apt install podman") == 0);
}
