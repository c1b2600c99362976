// SPDX-License-Identifier: Apache-2.0
#include "demo/report.hpp"
#include "steps.hpp"

namespace particle::cli::demo {
namespace {

Json pool_json(const Pool& pool) {
  Json endpoints = Json::array();
  for (const auto& range : pool.endpoints) endpoints.push_back(range.to_string());
  return {{"node", pool.node == 0 ? "a" : "b"},
          {"pool", pool_to_json(pool.info)},
          {"endpoints", endpoints},
          {"timings", timings_to_json(pool.outcome)},
          {"total_ms", to_ms(pool.took)},
          {"without_vtep_ms", to_ms(without_vtep(pool))}};
}

Json traffic_json(const Traffic& traffic) {
  return {{"id", traffic.id},
          {"what", traffic.what},
          {"wanted", traffic.wanted},
          {"reached", traffic.reached},
          {"proven", traffic.proven()},
          {"ms", to_ms(traffic.took)},
          {"problems", traffic.problems}};
}

Json check_json(const Check& check) {
  return {{"id", check.id},
          {"what", check.what},
          {"proven", check.proven},
          {"problems", check.problems}};
}

Json comparison_json(const Comparison& way) {
  if (!way.skipped.empty()) {
    return {{"id", way.id}, {"what", way.what}, {"skipped", way.skipped}};
  }
  Json steps = Json::object();
  for (std::size_t i = 0; i < way.steps.size(); ++i) {
    steps["S" + std::to_string(i + 1)] = to_ms(way.steps.at(i));
  }
  return {{"id", way.id},
          {"what", way.what},
          {"containers", way.containers},
          {"total_ms", to_ms(way.total)},
          {"each_ms", to_ms(way.each)},
          {"ratio", way.ratio},
          {"steps_ms", steps}};
}

template <class Items, class Convert>
Json array_of(const Items& items, Convert convert) {
  Json array = Json::array();
  for (const auto& item : items) array.push_back(convert(item));
  return array;
}

Json kept_json(const Facts& facts, const std::string& program) {
  if (facts.directory.empty()) return nullptr;
  return {{"directory", facts.directory},
          {"holder", facts.holder},
          {"look_around", look_around(facts, program)},
          {"remove", removal_command(facts, program)}};
}

}  // namespace

Json to_json(const Facts& facts, const std::string& program) {
  const auto pool_time = facts.pool_time();
  const double each = to_ms(pool_time) / static_cast<double>(facts.options.endpoints);
  return {{"proven", facts.proven()},
          {"endpoints_per_pool", facts.options.endpoints},
          {"unprivileged", facts.unprivileged},
          {"underlay", facts.underlay},
          {"pools", array_of(facts.pools, pool_json)},
          {"pool_ms", to_ms(pool_time)},
          {"endpoint_ms", each},
          {"peers_ms", to_ms(facts.peers)},
          {"traffic", array_of(facts.traffic, traffic_json)},
          {"isolation", array_of(facts.checks, check_json)},
          {"usual_ways", array_of(facts.comparisons, comparison_json)},
          {"delete_pools_ms", to_ms(facts.removal)},
          {"total_ms", to_ms(facts.total)},
          {"kept", kept_json(facts, program)}};
}

}  // namespace particle::cli::demo
