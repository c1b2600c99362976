// SPDX-License-Identifier: Apache-2.0
#include "harness/statements.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace particle::bench {
namespace {

constexpr double kFlat = 1.25;
constexpr std::uint64_t kHundred = 100;
constexpr std::uint64_t kThousand = 1000;
constexpr std::uint64_t kMostAnyip = 65000;
constexpr std::size_t kAddresses = 5;  // S6

std::string number(double value, int digits = 2) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

Statement not_measured(std::string claim, const std::string& what) {
  return {std::move(claim), std::nullopt, "not measured: needs " + what};
}

/// Without S6, the addresses' insertion, whose cost is the kernel's. Sample by sample.
Series without_addresses(const Figure& figure) {
  Series out;
  const auto& all = figure.setup_ms.values();
  const auto& addresses = figure.steps_ms.at(kAddresses).values();
  for (std::size_t i = 0; i < std::min(all.size(), addresses.size()); ++i) {
    out.add(all[i] - addresses[i]);
  }
  return out;
}

Statement consolidated_is_flat(const Record& record) {
  const std::string claim =
      "consolidated at N = 1,000 takes at most 1.25 times what N = 100 takes, net of the kernel's "
      "own "
      "cost of inserting addresses (S6)";
  const Figure* small = record.find("consolidated", kHundred);
  const Figure* large = record.find("consolidated", kThousand);
  if (small == nullptr || large == nullptr) {
    return not_measured(claim, "consolidated at N = 100 and 1,000");
  }
  const double before = without_addresses(*small).median();
  const double after = without_addresses(*large).median();
  if (before <= 0) return not_measured(claim, "the steps of consolidated");
  const double ratio = after / before;
  return {claim, ratio <= kFlat,
          number(before) + " ms and " + number(after) + " ms: " + number(ratio) +
              " times; with S6 " + number(small->setup_ms.median()) + " ms and " +
              number(large->setup_ms.median()) + " ms"};
}

Statement anyip_is_flat(const Record& record) {
  const std::string claim =
      "anyip takes the same for any number of endpoints up to 65,000 (at most 1.25 times N = 1)";
  const Figure* small = record.find("anyip", 1);
  const Figure* large = record.find("anyip", kMostAnyip);
  if (small == nullptr || large == nullptr) return not_measured(claim, "anyip at N = 1 and 65,000");
  const double ratio = large->setup_ms.median() / small->setup_ms.median();
  return {claim, ratio <= kFlat,
          number(small->setup_ms.median()) + " ms for N = 1, " + number(large->setup_ms.median()) +
              " ms for N = 65,000: " + number(ratio) + " times"};
}

Statement moves_dominate(const Record& record) {
  const std::string claim =
      "moving veths across namespaces (S3 and S4) dominates the baseline (the paper: 91.7%)";
  const Figure* baseline = record.find("ip-commands", kHundred);
  const auto share = baseline == nullptr ? std::nullopt : share_of_moves(*baseline);
  if (!share) return not_measured(claim, "ip-commands at N = 100");
  return {claim, *share > 0.5, number(*share * 100, 1) + "% of the six steps"};
}

Statement ratios_at(const Record& record, std::uint64_t endpoints, double paper) {
  const std::string size = endpoints == kHundred ? "100" : "1,000";
  const std::string claim =
      "Particle (consolidated) is faster than every other design at N = " + size +
      " (the paper: " + number(paper, 0) + " times the baseline)";
  std::string measured;
  bool holds = true;
  for (const auto* design : record.designs_of(Kind::endpoints)) {
    if (design->name == "consolidated" || design->name == "anyip") continue;
    const auto times = times_slower(record, design->name, "consolidated", endpoints);
    if (!times) continue;
    holds = holds && *times > 1;
    measured += (measured.empty() ? "" : ", ") + design->name + " " +
                number(*times, *times < 10 ? 1 : 0) + " times slower";
  }
  if (measured.empty()) return not_measured(claim, "consolidated and another design at that size");
  return {claim, holds, measured};
}

/// Is this how an engine connects containers by itself?
bool is_engines_network(std::string_view design) {
  return design.ends_with("-bridge") || design.ends_with("-overlay");
}

Statement pools_beat_engines(const Record& record) {
  const std::string claim =
      "100 containers in a Particle pool run sooner than on the same engine's own bridge or "
      "overlay, under every engine measured";
  std::string measured;
  bool holds = true;
  for (const auto* design : record.designs_of(Kind::containers)) {
    if (design->name == pool_beside(design->name)) continue;
    const auto times = times_slower(record, design->name, pool_beside(design->name), kHundred);
    if (!times) continue;
    if (is_engines_network(design->name)) holds = holds && *times > 1;
    measured +=
        (measured.empty() ? "" : ", ") + design->name + " " + number(*times) + " times as long";
  }
  if (measured.empty()) return not_measured(claim, "an engine's designs at N = 100");
  return {claim, holds, measured};
}

Statement tracer_is_cheap(const Record& record) {
  constexpr double kMost = 0.03;
  const std::string claim =
      "particle trace's own eBPF programs take less than 3% of the time that "
      "the traced threads took";
  std::string measured;
  bool holds = true;
  for (const auto& trace : record.traces) {
    const double own = trace.value("own_ms", 0.0);
    const double all = trace.value("total_ms", 0.0);
    if (own <= 0 || all <= 0) continue;
    holds = holds && own / all < kMost;
    measured += (measured.empty() ? "" : ", ") + number(own) + " of " + number(all) +
                " ms: " + number(own / all * 100) + "%";
  }
  if (measured.empty()) return not_measured(claim, "a trace of the run");
  return {claim, holds, measured};
}

}  // namespace

std::string pool_beside(std::string_view design) {
  const auto dash = design.find('-');
  const std::string engine(design.substr(0, dash == std::string_view::npos ? 0 : dash));
  return engine.empty() ? engine : engine + "-particle";
}

std::optional<double> times_slower(const Record& record, std::string_view design,
                                   std::string_view particle, std::uint64_t endpoints) {
  const Figure* slow = record.find(design, endpoints);
  const Figure* fast = record.find(particle, endpoints);
  if (slow == nullptr || fast == nullptr || fast->setup_ms.median() <= 0) return std::nullopt;
  return slow->setup_ms.median() / fast->setup_ms.median();
}

std::optional<double> share_of_moves(const Figure& figure) {
  double all = 0;
  double moves = 0;
  for (std::size_t i = 0; i < kSteps; ++i) {
    const double step = figure.steps_ms.at(i).median();
    all += step;
    if (i == 2 || i == 3) moves += step;
  }
  if (all <= 0) return std::nullopt;
  return moves / all;
}

std::vector<Statement> statements(const Record& record) {
  constexpr double kPaperAtHundred = 17;
  constexpr double kPaperAtThousand = 213;
  return {consolidated_is_flat(record),
          anyip_is_flat(record),
          moves_dominate(record),
          ratios_at(record, kHundred, kPaperAtHundred),
          ratios_at(record, kThousand, kPaperAtThousand),
          pools_beat_engines(record),
          tracer_is_cheap(record)};
}

}  // namespace particle::bench
