// SPDX-License-Identifier: Apache-2.0
#include "demo/comparison.hpp"

#include <algorithm>

#include "baselines/baseline.hpp"

namespace particle::cli::demo {
namespace {

using baselines::Request;
using baselines::Run;

struct Way {
  const char* id;
  const char* what;
  Result<Run> (*run)(const Request&);
};

constexpr std::array<Way, 3> kWays{{
    {"in-place", "namespace + veth each, born in place", baselines::run_in_place},
    {"moved", "namespace + veth each, both ends moved", baselines::run_moved},
    {"ip-commands", "the same, one ip command per step", baselines::run_ip_commands},
}};

void fill_in(Comparison& comparison, const Run& run, std::chrono::nanoseconds per_endpoint) {
  comparison.containers = run.containers;
  comparison.total = run.total;
  comparison.each = run.per_container();
  comparison.steps = run.steps;
  if (per_endpoint.count() > 0) {
    comparison.ratio =
        static_cast<double>(comparison.each.count()) / static_cast<double>(per_endpoint.count());
  }
}

}  // namespace

Result<Remains> compare(Facts& facts, const Watch& watch) {
  const auto per_endpoint = facts.pool_time() / static_cast<std::int64_t>(facts.options.endpoints);
  Request request;
  request.containers = std::min(facts.options.endpoints, kMaxBaselineContainers);
  request.stop = watch.stop;
  Remains remains;
  for (const auto& way : kWays) {
    request.progress = [&](std::uint64_t done) {
      watch.tell(std::string("the usual way: ") + way.what, done, request.containers);
    };
    Comparison comparison;
    comparison.id = way.id;
    comparison.what = way.what;
    auto run = way.run(request);
    if (run) {
      fill_in(comparison, *run, per_endpoint);
      remains.push_back(std::move(run->remains));
    } else if (run.error().kind() == Errc::interrupted) {
      return fail(std::move(run.error()));
    } else {
      comparison.skipped = run.error().message();
    }
    facts.comparisons.push_back(std::move(comparison));
  }
  return remains;
}

}  // namespace particle::cli::demo
