// SPDX-License-Identifier: Apache-2.0
#include "demo/report.hpp"

#include <algorithm>

#include "demo/traffic.hpp"
#include "steps.hpp"
#include "text.hpp"

namespace particle::cli::demo {
namespace {

std::string first_line(const Facts& facts, const Style& style) {
  const auto& info = facts.pools.front().info;
  std::string line = style.bold("particle demo") + ": 2 nodes, 2 tenants, 4 pools of " +
                     counted(facts.options.endpoints, "endpoint") + ", mode " +
                     std::string(to_string(info.mode));
  if (facts.unprivileged) line += "\nNot root: this runs in a user namespace, as root of that.";
  return line + "\n\n";
}

std::string prefixes_of(const Pool& pool) {
  std::string text;
  for (const auto& block : pool.info.blocks) {
    if (!text.empty()) text += " ";
    text += block.prefix.to_string();
  }
  return text;
}

/// The two nodes with their pools, and a tenant's VNI between them in each line.
class Picture {
 public:
  Picture(const Facts& facts, const Pen& pen) : facts_(facts), pen_(pen) {
    for (const auto& pool : facts.pools) {
      inner_ = std::max(inner_, cell(pool).size());
    }
  }

  [[nodiscard]] std::string draw() const {
    const std::string between = pad_right("", kGap);
    const std::string edge = repeat(pen_.horizontal, inner_ + 2);
    std::string out = "  " + pad_right(title(0), inner_ + 4) + between + title(1) + "\n";
    const auto box_line = [&](std::string_view left, std::string_view right) {
      const std::string box = std::string(left) + edge + std::string(right);
      out += "  " + box + between + box + "\n";
    };
    box_line(pen_.top_left, pen_.top_right);
    for (std::size_t tenant = 0; tenant < kTenants; ++tenant) {
      out += "  " + std::string(pen_.vertical) + " " + padded(0, tenant) + " " +
             std::string(pen_.tee_right) + wire(tenant) + std::string(pen_.tee_left) + " " +
             padded(1, tenant) + " " + std::string(pen_.vertical) + "\n";
    }
    box_line(pen_.bottom_left, pen_.bottom_right);
    return out;
  }

 private:
  static constexpr std::size_t kGap = 16;

  static std::string cell(const Pool& pool) {
    return pad_right(kTenantList.at(pool.tenant).name, 5) + " " + prefixes_of(pool);
  }
  [[nodiscard]] std::string padded(std::size_t node, std::size_t tenant) const {
    return pad_right(cell(pool_of(facts_, node, tenant)), inner_);
  }
  [[nodiscard]] std::string title(std::size_t node) const {
    const std::string name = node == 0 ? "node A" : "node B";
    return "  " + name + ", underlay " + facts_.underlay.at(node);
  }
  [[nodiscard]] std::string wire(std::size_t tenant) const {
    const std::string vni = " VNI " + std::to_string(kTenantList.at(tenant).vni) + " ";
    const std::size_t dashes = kGap - vni.size();
    return repeat(pen_.horizontal, dashes / 2) + vni + repeat(pen_.horizontal, dashes - dashes / 2);
  }

  const Facts& facts_;
  const Pen& pen_;
  std::size_t inner_ = 28;
};

constexpr std::size_t kLabel = 8;
constexpr std::size_t kWhat = 36;
constexpr std::size_t kNumber = 10;

std::string row(const std::string& label, const std::string& what,
                const std::vector<std::string>& cells) {
  std::string line = "  " + pad_right(label, kLabel) + pad_right(what, kWhat);
  for (const auto& cell : cells) line += pad_left(cell, kNumber);
  return line + "\n";
}

std::vector<std::string> per_pool(const Facts& facts,
                                  const std::function<std::string(const Pool&)>& cell) {
  std::vector<std::string> cells;
  for (const auto& pool : facts.pools) cells.push_back(cell(pool));
  return cells;
}

std::string creation(const Facts& facts, const Style& style) {
  std::string out = style.bold("Making the pools") + " (milliseconds; steps of figure 3.1)\n";
  out += row("", "", per_pool(facts, [](const Pool& pool) { return pool.info.name; }));
  for (const auto& stage : stage_rows()) {
    if (!stage.needed) {
      out += "  " + pad_right(stage.label, kLabel) + pad_right(stage.what, kWhat) +
             pad_left("not needed", kNumber) + "\n";
      continue;
    }
    out += row(stage.label, stage.what, per_pool(facts, [&](const Pool& pool) {
                 return in_ms(time_of(pool.outcome, stage.stage));
               }));
  }
  out += row("other", "planning, locks", per_pool(facts, [](const Pool& pool) {
               auto rest = pool.took;
               for (const auto& step : pool.outcome.steps) rest -= step.took;
               return in_ms(rest);
             }));
  out += row("total", "", per_pool(facts, [](const Pool& pool) { return in_ms(pool.took); }));
  return out + "\n";
}

std::string mark(bool proven, const Style& style, const Pen& pen) {
  return "  " + (proven ? style.good(pen.yes) : style.bad(pen.no));
}

std::string problem_lines(const std::vector<std::string>& problems) {
  std::string out;
  for (const auto& problem : problems) out += "       " + problem + "\n";
  return out;
}

std::string traffic(const Facts& facts, const Style& style, const Pen& pen) {
  std::string out = style.bold("Real TCP") + "\n";
  for (const auto& one : facts.traffic) {
    out += mark(one.proven(), style, pen) + pad_right(one.what + ":", 20) +
           std::to_string(one.reached) + " of " + counted(one.wanted, "connection") +
           ", each seen under its own endpoint IP (" + in_ms(one.took) + " ms)\n" +
           problem_lines(one.problems);
  }
  return out + "\n";
}

std::string isolation(const Facts& facts, const Style& style, const Pen& pen) {
  std::string out = style.bold("Isolation") + "\n";
  for (const auto& check : facts.checks) {
    out += mark(check.proven, style, pen) + check.what + "\n" + problem_lines(check.problems);
  }
  return out + "\n";
}

std::string comparison_row(const std::string& what, const std::string& count,
                           const std::string& each, const std::string& total,
                           const std::string& ratio) {
  return "  " + pad_right(what, 44) + pad_left(count, 10) + pad_left(each, 12) +
         pad_left(total, 12) + pad_left(ratio, 10) + "\n";
}

/// "1.3", "27", "1 875".
std::string ratio_text(double ratio, const Pen& pen) {
  std::string text = number(ratio);
  if (ratio >= 10) text = text.substr(0, text.find('.'));
  return text + std::string(pen.times);
}

std::string comparisons(const Facts& facts, const Style& style, const Pen& pen) {
  if (facts.comparisons.empty()) return {};
  const auto pool_time = facts.pool_time();
  const auto endpoints = facts.options.endpoints;
  std::string out = style.bold("The same job the usual way, in this run") +
                    " (milliseconds; without the VTEP)\n" +
                    comparison_row("", "endpoints", "each", "total", "slower");
  out += comparison_row("Particle: one namespace, one veth", std::to_string(endpoints),
                        number(to_ms(pool_time) / static_cast<double>(endpoints), 4),
                        in_ms(pool_time), "1" + std::string(pen.times));
  for (const auto& way : facts.comparisons) {
    if (!way.skipped.empty()) {
      out += "  " + pad_right(way.what, 44) + "skipped: " + way.skipped + "\n";
      continue;
    }
    out += comparison_row(way.what, std::to_string(way.containers), in_ms(way.each),
                          in_ms(way.total), ratio_text(way.ratio, pen));
  }
  if (facts.comparisons.front().containers < endpoints) {
    out += "  The usual ways are linear: they stop at " +
           std::to_string(facts.comparisons.front().containers) +
           " endpoints here, and the ratio is per endpoint.\n";
  }
  return out + "\n";
}

std::string ending(const Facts& facts, const Style& style, const std::string& program) {
  const std::string seconds = number(to_ms(facts.total) / 1000) + " s";
  std::string out = facts.proven() ? style.good("Everything was proven") + " in " + seconds + ". "
                                   : style.bad("Not everything was proven") + ". ";
  if (facts.directory.empty()) return out + "The machine is as it was.\n";
  out += "It is still up:\n";
  for (const auto& command : look_around(facts, program)) out += "  " + command + "\n";
  return out + "Remove it all with:\n  " + removal_command(facts, program) + "\n";
}

}  // namespace

std::string to_text(const Facts& facts, const Style& style, const Pen& pen,
                    const std::string& program) {
  return first_line(facts, style) + Picture(facts, pen).draw() +
         "  Each pool is one namespace and one veth pair. Both tenants use the same "
         "addresses.\n\n" +
         creation(facts, style) + traffic(facts, style, pen) + isolation(facts, style, pen) +
         comparisons(facts, style, pen) + ending(facts, style, program);
}

}  // namespace particle::cli::demo
