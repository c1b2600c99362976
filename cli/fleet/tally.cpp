// SPDX-License-Identifier: Apache-2.0
#include "fleet/tally.hpp"

#include <algorithm>
#include <cmath>

namespace particle::cli {
namespace {

using fleet::Ended;
using fleet::Event;
using fleet::Phase;

/// The smallest value that this share of all values does not exceed (nearest rank).
double percentile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

}  // namespace

void Tally::take(const Event& event) {
  Instance& instance = instances_[event.instance];
  if (event.phase == Phase::queued && !instance.queued) instance.queued = event.at;
  if (event.phase == Phase::started && !instance.started) {
    instance.started = event.at;
    ++started_;
  }
  if (event.phase != Phase::done || instance.end) return;
  if (!fleet::is_last(event, retries_)) {
    ++tried_again_;
    instance.before.push_back(event);
    return;
  }
  instance.end = event;
  ++ended_;
  ++by_node_[event.node];
  ++by_end_[std::string(fleet::to_string(event.ended.value_or(Ended::lost)))];
  if (event.ended == Ended::ok) return;
  const bool told = std::any_of(
      first_failed_.begin(), first_failed_.end(),
      [&](std::uint64_t index) { return instances_.at(index).end->ended == event.ended; });
  if (!told) first_failed_.push_back(event.instance);
}

std::optional<fleet::FailureFacts> Tally::failure_of(std::uint64_t index) const {
  const auto found = instances_.find(index);
  if (found == instances_.end() || !found->second.end) return std::nullopt;
  if (found->second.end->ended == Ended::ok) return std::nullopt;
  fleet::FailureFacts facts;
  facts.done = *found->second.end;
  facts.before = found->second.before;
  return facts;
}

std::uint64_t Tally::ok() const {
  const auto found = by_end_.find("ok");
  return found == by_end_.end() ? 0 : found->second;
}

std::optional<Tally::Times> Tally::request_to_running() const {
  std::vector<double> waits;
  for (const auto& [index, instance] : instances_) {
    if (instance.queued && instance.started) {
      const std::chrono::duration<double, std::milli> wait = *instance.started - *instance.queued;
      waits.push_back(wait.count());
    }
  }
  if (waits.empty()) return std::nullopt;
  std::sort(waits.begin(), waits.end());
  return Times{percentile(waits, 0.5), percentile(waits, 0.99), waits.back()};
}

nlohmann::json Tally::instances() const {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& [index, instance] : instances_) {
    nlohmann::json one = {{"instance", index}};
    if (instance.end) {
      const Event& end = *instance.end;
      one["ended"] = fleet::to_string(end.ended.value_or(Ended::lost));
      one["status"] = end.status;
      one["attempts"] = end.attempt + 1;
      one["node"] = end.node;
      one["detail"] = end.detail;
      one["endpoint"] = end.endpoint ? nlohmann::json(end.endpoint->to_string()) : nullptr;
    }
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace particle::cli
