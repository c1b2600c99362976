// SPDX-License-Identifier: Apache-2.0
/// Every design of `particle bench` makes what it claims, in a real kernel.
#include <doctest/doctest.h>

#include "baselines/baseline.hpp"
#include "baselines/sandbox.hpp"
#include "baselines/scratch_node.hpp"
#include "harness/design.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

using namespace particle;
using namespace particle::test;

TEST_CASE(
    "bench designs: each makes its endpoints, with the steps that it has, and gives them up") {
  if (!need_namespaces()) return;
  must(baselines::enter_private_mounts());
  const auto bed = must(bench::Testbed::make("/run"));
  for (const auto& design : bench::designs()) {
    CAPTURE(std::string(design.name));
    // Containers: tests/e2e/bench_containers_test.cpp, with the whole program.
    if (design.kind == bench::Kind::containers) continue;
    if (const auto missing = bench::missing_for(design); !missing.empty()) {
      skip_component("iproute2", missing);
      continue;
    }
    const auto sample = must(design.measure(bed, {3, {}, {}}));
    CHECK(sample.setup_ms > 0);
    CHECK(sample.gone_ms >= sample.release_ms);
    CHECK(sample.steps_ms[0].has_value());
    CHECK(sample.steps_ms[1].has_value());
    CHECK(sample.steps_ms[5].has_value());
    const bool pool = design.name == "anyip" || design.name == "consolidated";
    const bool moves = !pool && design.name != "isolated-in-place";
    CHECK(sample.steps_ms[2].has_value() == moves);
    CHECK(sample.steps_ms[3].has_value() == moves);
    double steps = 0;
    for (const auto& step : sample.steps_ms) steps += step.value_or(0);
    CHECK(steps <= sample.setup_ms * 1.01);
  }
}

TEST_CASE("bench designs: a run that made too little is found out") {
  if (!need_namespaces()) return;
  const auto scratch = must(baselines::make_scratch_node(2));
  const auto here = [&](std::uint64_t) { return scratch.node.netns.duplicate(); };
  const auto devices = baselines::check_made(scratch.vtep.netns, 2, here);
  REQUIRE_FALSE(devices.has_value());
  CHECK(devices.error().message().find("3 devices, not 5") != std::string::npos);
}

TEST_CASE("bench designs: more containers than a bridge has ports get a second bridge") {
  CHECK(baselines::bridges_for(1) == 1);
  CHECK(baselines::bridges_for(1022) == 1);
  CHECK(baselines::bridges_for(1023) == 2);
  CHECK(baselines::bridge_of(1021) == baselines::bridge_of(0));
  CHECK(baselines::bridge_of(1022) != baselines::bridge_of(0));
  if (!need_namespaces()) return;
  const auto scratch = must(baselines::make_scratch_node(1023));
  const auto check = baselines::check_made(scratch.vtep.netns, 1023, {});
  REQUIRE_FALSE(check.has_value());
  // Two bridges, two vxlan devices and lo are there; 1,023 ports are wanted, too.
  CHECK(check.error().message().find("5 devices, not 1028") != std::string::npos);
}

TEST_CASE("bench designs: a stop request ends each, and nothing is left to wait for") {
  if (!need_namespaces()) return;
  must(baselines::enter_private_mounts());
  const auto bed = must(bench::Testbed::make("/run"));
  std::stop_source source;
  source.request_stop();
  for (const auto& design : bench::designs()) {
    CAPTURE(std::string(design.name));
    if (design.kind == bench::Kind::containers || !bench::missing_for(design).empty()) continue;
    const auto sample = design.measure(bed, {3, {}, source.get_token()});
    REQUIRE_FALSE(sample.has_value());
    CHECK(sample.error().kind() == Errc::interrupted);
  }
  CHECK(must(bed.node().list_pools()).size() == 1);  // the one that keeps the VTEP
}
