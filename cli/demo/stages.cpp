// SPDX-License-Identifier: Apache-2.0
#include "demo/report.hpp"

namespace particle::cli::demo {

std::vector<StageRow> stage_rows() {
  return {{"VTEP", "bridge and vxlan, once per tenant", true, Stage::vtep},
          {"S1", "the pool's namespace", true, Stage::s1_namespace},
          {"S2", "veth pair, both ends born in place", true, Stage::s2_veth},
          {"S3", "move the near end", false, {}},
          {"S4", "move the guest's end", false, {}},
          {"S5", "attach and bring up", true, Stage::s5_attach},
          {"S6", "every endpoint's address", true, Stage::s6_addresses},
          {"record", "what survives a crash", true, Stage::record}};
}

std::chrono::nanoseconds time_of(const Outcome& outcome, Stage stage) {
  std::chrono::nanoseconds sum{0};
  for (const auto& step : outcome.steps) {
    if (step.stage == stage) sum += step.took;
  }
  return sum;
}

std::string removal_command(const Facts& facts, const std::string& program) {
  if (facts.holder != 0) return "kill " + std::to_string(facts.holder);
  return program + " demo --remove " + facts.directory;
}

std::vector<std::string> look_around(const Facts& facts, const std::string& program) {
  std::string into;
  if (facts.holder != 0) {
    into = "nsenter -t " + std::to_string(facts.holder) + " -U -m --preserve-credentials ";
  }
  const std::string node = into + "nsenter --net=" + facts.directory + "/node-a ";
  const std::string particle = node + program + " --run-dir " + facts.directory + " ";
  const std::string pool = facts.pools.front().info.name;
  const std::string far_end = facts.pools.at(kTenants).endpoints.front().first().to_string();
  return {particle + "list-pools", particle + "show-pool " + pool, particle + "list-peers",
          particle + "exec " + pool + " -- ping -c 3 " + far_end,
          into + "nsenter --net=" + facts.pools.front().info.netns_path + " ip address"};
}

}  // namespace particle::cli::demo
