// SPDX-License-Identifier: Apache-2.0
#include "agent/metrics.hpp"

#include <algorithm>
#include <cstdio>

namespace particle::overlay {
namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", value);
  return text.data();
}

/// The format escapes these three in label values.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

void head(std::string& out, const std::string& name, const char* type, const char* help) {
  out += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
}

void single(std::string& out, const std::string& name, const char* type, const char* help,
            const std::string& value) {
  head(out, name, type, help);
  out += name + " " + value + "\n";
}

void write_pools(std::string& out, const std::vector<PoolUse>& pools) {
  single(out, "particle_pools", "gauge", "Pools on this node.", std::to_string(pools.size()));
  const auto each = [&](const char* name, const char* help, std::uint64_t PoolUse::* field) {
    head(out, name, "gauge", help);
    for (const PoolUse& use : pools) {
      out += std::string(name) + "{pool=\"" + escaped(use.pool) + "\",tenant=\"" +
             escaped(use.tenant) + "\"} " + std::to_string(use.*field) + "\n";
    }
  };
  each("particle_pool_endpoints", "Endpoints that the pool has.", &PoolUse::capacity);
  each("particle_pool_leases", "Endpoints that are leased.", &PoolUse::leased);
  each("particle_pool_cooling", "Endpoints that rest after their release.", &PoolUse::cooling);
}

void write_peers(std::string& out, const AgentMetrics& metrics) {
  head(out, "particle_peers", "gauge", "Remote pools that are entered here, by tenant.");
  for (const auto& [tenant, count] : metrics.peers)
    out += "particle_peers{tenant=\"" + escaped(tenant) + "\"} " + std::to_string(count) + "\n";
  single(out, "particle_announcements_refused", "gauge",
         "Announcements that contradict what is here, and are not entered.",
         std::to_string(metrics.refused));
  head(out, "particle_peer_changes_total", "counter", "Peers entered, taken off and restored.");
  out += "particle_peer_changes_total{change=\"added\"} " + std::to_string(metrics.added) + "\n";
  out +=
      "particle_peer_changes_total{change=\"removed\"} " + std::to_string(metrics.removed) + "\n";
  out +=
      "particle_peer_changes_total{change=\"restored\"} " + std::to_string(metrics.restored) + "\n";
}

void write_health(std::string& out, const AgentMetrics& metrics) {
  head(out, "particle_overlay_health", "gauge", "1 for the state that the overlay is in.");
  for (const HealthState state : {HealthState::ok, HealthState::degraded, HealthState::failed}) {
    out += "particle_overlay_health{state=\"" + std::string(to_string(state)) + "\"} " +
           (metrics.health == state ? "1\n" : "0\n");
  }
  single(out, "particle_overlay_complete", "gauge",
         "1 while what is known of the other nodes is all there is.", metrics.complete ? "1" : "0");
}

}  // namespace

void Histogram::observe(std::chrono::nanoseconds took) {
  const double seconds = std::chrono::duration<double>(took).count();
  const auto* bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  if (bound != kBounds.end()) ++buckets_.at(static_cast<std::size_t>(bound - kBounds.begin()));
  ++count_;
  sum_ += seconds;
}

void Histogram::write(std::string& out, const std::string& name) const {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += buckets_.at(i);
    out += name + "_bucket{le=\"" + number(kBounds.at(i)) + "\"} " + std::to_string(below) + "\n";
  }
  out += name + "_bucket{le=\"+Inf\"} " + std::to_string(count_) + "\n";
  out += name + "_sum " + number(sum_) + "\n" + name + "_count " + std::to_string(count_) + "\n";
}

std::string to_prometheus(const AgentMetrics& metrics) {
  std::string out;
  head(out, "particle_agent_info", "gauge", "Which overlay this agent drives, for which node.");
  out += "particle_agent_info{overlay=\"" + escaped(metrics.overlay) + "\",node=\"" +
         escaped(metrics.node) + "\"} 1\n";
  const auto started = std::chrono::duration<double>(metrics.started.time_since_epoch()).count();
  std::array<char, 32> since{};
  std::snprintf(since.data(), since.size(), "%.3f", started);
  single(out, "particle_agent_start_time_seconds", "gauge", "When it started, since the epoch.",
         since.data());
  write_pools(out, metrics.pools);
  write_peers(out, metrics);
  single(out, "particle_reconciles_total", "counter", "Comparisons with the kernel.",
         std::to_string(metrics.reconciles));
  single(out, "particle_reconcile_errors_total", "counter",
         "Reconciles, views and announcements that failed.", std::to_string(metrics.errors));
  single(out, "particle_reloads_total", "counter", "Times that SIGHUP was obeyed.",
         std::to_string(metrics.reloads));
  head(out, "particle_reconcile_seconds", "histogram",
       "From learning of a change to the kernel's last answer.");
  metrics.reconcile_seconds.write(out, "particle_reconcile_seconds");
  write_health(out, metrics);
  return out;
}

}  // namespace particle::overlay
