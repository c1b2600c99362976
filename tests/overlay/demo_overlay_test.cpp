// SPDX-License-Identifier: Apache-2.0
// `particle demo --overlay`: the real daemons, started and ended by the program.
#include <doctest/doctest.h>

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "e2e/cli_program.hpp"
#include "overlay/etcd_server.hpp"
#include "overlay/frr_box.hpp"
#include "runtime/components.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

/// What every process of one test's demo has in its environment; other tests have demos of their own.
std::string mark_of(const std::string& test) {
  return "PARTICLE_TEST_DEMO=" + test + "-" + std::to_string(getpid());
}

std::vector<std::string> demo(const std::string& mark, const std::string& overlay,
                              const std::string& nodes) {
  return {"env",
          mark,
          "PARTICLE_COMPONENTS=" + components_directory(),
          std::string(PARTICLE_TEST_BIN_DIR) + "/particle",
          "demo",
          "--json",
          "--overlay",
          overlay,
          "--nodes",
          nodes,
          "--endpoints",
          "5"};
}

/// Empty where it cannot be read: not every entry of /proc is a process, and processes end.
std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Command lines of the processes that have the mark.
std::vector<std::string> survivors(const std::string& mark) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string process = entry.path().string();
    if (content_of(process + "/environ").find(mark) != std::string::npos)
      found.push_back(content_of(process + "/cmdline"));
  }
  return found;
}

void check_demo(const std::string& overlay, std::size_t nodes) {
  const std::string mark = mark_of(overlay);
  Command command(demo(mark, overlay, std::to_string(nodes)));
  const CommandResult result = command.finish(std::chrono::minutes(3));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto report = parse_output(result);
  CHECK(schema_violations(report, "demo") == std::vector<std::string>{});
  CHECK(report["proven"] == true);
  CHECK(report["announced"].size() == nodes);
  CHECK(report["connections"]["reached"] == nodes * (nodes - 1) * 5);
  CHECK(survivors(mark) == std::vector<std::string>{});
  CHECK_FALSE(std::filesystem::exists("/run/particle-demo"));
}

}  // namespace

TEST_CASE("demo: four nodes find each other through etcd, and nothing is left") {
  if (!need_root() || !need_etcd()) return;
  check_demo("etcd", 4);
}

TEST_CASE("demo: four nodes find each other through BGP EVPN, and nothing is left") {
  if (!need_frr()) return;
  check_demo("evpn", 4);
}

TEST_CASE("demo: interrupted while its daemons run, it ends them") {
  if (!need_root() || !need_etcd()) return;
  const std::string mark = mark_of("interrupted");
  for (const auto pause : {50, 100, 150, 200, 300}) {
    Command command(demo(mark, "etcd", "4"));
    (void)command.wait_for_text("never", std::chrono::milliseconds(pause));
    command.signal(SIGINT);
    const CommandResult result = command.finish();
    CHECK((result.exit_code == 130 || result.exit_code == 0));
    CHECK(survivors(mark) == std::vector<std::string>{});
  }
}

TEST_CASE("demo: a daemon that is not there is named, with how to get it") {
  if (!need_root()) return;
  const auto result =
      run_command({"env", "PARTICLE_COMPONENTS=/nonexistent", "PATH=/nonexistent",
                   std::string(PARTICLE_TEST_BIN_DIR) + "/particle", "demo", "--overlay", "etcd"});
  if (std::filesystem::exists("/usr/bin/etcd")) return;
  CHECK(result.exit_code == 3);
  CHECK(result.err.find("apt-get install etcd-server") != std::string::npos);
}

}  // namespace particle::test
