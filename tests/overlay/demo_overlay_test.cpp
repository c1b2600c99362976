// SPDX-License-Identifier: Apache-2.0
// `particle demo --overlay`: the real daemons, started and ended by the program.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "e2e/cli_program.hpp"
#include "overlay/etcd_server.hpp"
#include "overlay/frr_box.hpp"
#include "runtime/components.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

std::vector<std::string> demo(const std::string& overlay, const std::string& nodes) {
  return {"env",
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

/// Processes whose command line names the demo's directory.
std::string survivors() {
  return run_command({"pgrep", "-af", "/run/particle-demo/"}).out;
}

void check_demo(const std::string& overlay, std::size_t nodes) {
  Command command(demo(overlay, std::to_string(nodes)));
  const CommandResult result = command.finish(std::chrono::minutes(3));
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto report = parse_output(result);
  CHECK(schema_violations(report, "demo") == std::vector<std::string>{});
  CHECK(report["proven"] == true);
  CHECK(report["announced"].size() == nodes);
  CHECK(report["connections"]["reached"] == nodes * (nodes - 1) * 5);
  CHECK(survivors() == "");
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
  for (const auto pause : {300, 900, 2000}) {
    Command command(demo("etcd", "4"));
    (void)command.wait_for_text("never", std::chrono::milliseconds(pause));
    command.signal(SIGINT);
    const CommandResult result = command.finish();
    CHECK((result.exit_code == 130 || result.exit_code == 0));
    CHECK(survivors() == "");
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
