// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "overlay-adapters/agent/metrics.hpp"

namespace particle::test {
namespace {

bool has_metric(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("metrics: a histogram's buckets are cumulative") {
  overlay::Histogram histogram;
  histogram.observe(std::chrono::microseconds(900));
  histogram.observe(std::chrono::milliseconds(3));
  histogram.observe(std::chrono::seconds(60));
  std::string text;
  histogram.write(text, "x");
  CHECK(has_metric(text, R"(x_bucket{le="0.001"} 1)"));
  CHECK(has_metric(text, R"(x_bucket{le="0.0025"} 1)"));
  CHECK(has_metric(text, R"(x_bucket{le="0.005"} 2)"));
  CHECK(has_metric(text, R"(x_bucket{le="10"} 2)"));
  CHECK(has_metric(text, R"(x_bucket{le="+Inf"} 3)"));
  CHECK(has_metric(text, "x_count 3"));
}

TEST_CASE("metrics: every family has its type once, and labels are escaped") {
  overlay::AgentMetrics metrics;
  metrics.overlay = "static";
  metrics.node = "a\"b\\c";
  metrics.pools = {{"p", "t", 100, 7, 1}, {"q", "t", 5, 0, 0}};
  metrics.peers = {{"t", 3}};
  metrics.health = overlay::HealthState::degraded;
  const std::string text = to_prometheus(metrics);
  CHECK(has_metric(text, R"(particle_agent_info{overlay="static",node="a\"b\\c"} 1)"));
  CHECK(has_metric(text, "particle_pools 2"));
  CHECK(has_metric(text, R"(particle_pool_leases{pool="p",tenant="t"} 7)"));
  CHECK(has_metric(text, R"(particle_peers{tenant="t"} 3)"));
  CHECK(has_metric(text, R"(particle_overlay_health{state="degraded"} 1)"));
  CHECK(has_metric(text, R"(particle_overlay_health{state="ok"} 0)"));
  const std::string type = "# TYPE particle_pool_endpoints ";
  CHECK(text.find(type) != std::string::npos);
  CHECK(text.find(type) == text.rfind(type));
}

}  // namespace particle::test
