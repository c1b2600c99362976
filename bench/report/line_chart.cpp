// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "report/charts.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

struct LineFrame {
  double width, height, left, right, top, bottom;
  bool labels;  ///< names at the lines' ends; else the page has a legend
};

LineFrame line_frame_for(Paper paper) {
  if (paper == Paper::wide) return {880, 480, 64, 120, 16, 52, true};
  return {400, 400, 50, 14, 12, 48, false};
}

/// From values to places, logarithmic.
struct Scale {
  double from, to;  ///< decimal logarithms
  double start, end;
  [[nodiscard]] double at(double value) const {
    return start + (std::log10(value) - from) / (to - from) * (end - start);
  }
};

struct Axes {
  Scale x, y;
};

bool drawable(const Point& point) {
  return point.x > 0 && point.y > 0;
}

Axes axes_for(const std::vector<Curve>& curves, const LineFrame& frame) {
  double x_min = 1e300;
  double x_max = 0;
  double y_min = 1e300;
  double y_max = 0;
  for (const auto& curve : curves) {
    for (const auto& point : curve.points) {
      if (!drawable(point)) continue;
      x_min = std::min(x_min, point.x);
      x_max = std::max(x_max, point.x);
      y_min = std::min(y_min, point.low > 0 ? point.low : point.y);
      y_max = std::max({y_max, point.high, point.y});
    }
  }
  double x_from = std::log10(x_min);
  double x_to = std::log10(x_max);
  if (x_to - x_from < 0.5) {  // one size only: in the middle
    x_from -= 0.5;
    x_to += 0.5;
  }
  constexpr double kAir = 0.12;  // of a decade
  const double y_from = std::log10(y_min) - kAir;
  const double y_to = std::max(y_from + 1, std::log10(y_max) + kAir);
  return {{x_from, x_to, frame.left + 10, frame.width - frame.right - 10},
          {y_from, y_to, frame.height - frame.bottom, frame.top}};
}

std::string line(double x1, double y1, double x2, double y2, const char* css) {
  return "<line x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) + "\" x2=\"" + fixed(x2, 1) +
         "\" y2=\"" + fixed(y2, 1) + "\" class=\"" + css + "\"/>";
}

std::string words(double x, double y, const std::string& css, const std::string& text) {
  return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" class=\"" + css + "\">" +
         escaped(text) + "</text>";
}

std::string tick_name(double ms) {
  if (ms < 0.9) return fixed(ms, ms < 0.09 ? 3 : 1) + " ms";
  return ms < 900 ? fixed(ms, 0) + " ms"
                  : grouped(static_cast<std::uint64_t>(std::llround(ms / 1000))) + " s";
}

std::string draw_y_axis(const Axes& axes, const LineFrame& frame) {
  std::string out;
  const double end = frame.width - frame.right;
  const auto first = static_cast<int>(std::floor(axes.y.from));
  for (int decade = first; decade <= static_cast<int>(axes.y.to); ++decade) {
    for (int part = 1; part < 10; ++part) {
      const double value = part * std::pow(10, decade);
      if (std::log10(value) < axes.y.from || std::log10(value) > axes.y.to) continue;
      // Where there are few decades, 2 and 5 get a name, too.
      const bool named = part == 1 || (axes.y.to - axes.y.from < 2.2 && (part == 2 || part == 5));
      const double y = axes.y.at(value);
      out += line(frame.left, y, named ? end : frame.left + 4, y, "grid");
      if (named) out += words(frame.left - 8, y + 4, "tick end", tick_name(value));
    }
  }
  return out;
}

std::string draw_x_axis(const std::vector<Curve>& curves, const Axes& axes,
                        const LineFrame& frame) {
  std::set<double, std::greater<>> sizes;
  for (const auto& curve : curves) {
    for (const auto& point : curve.points) {
      if (drawable(point) && !curve.reference) sizes.insert(point.x);
    }
  }
  std::string out;
  const double bottom = frame.height - frame.bottom;
  // From the right: the largest size always has its name.
  double free_until = frame.width + 40;
  for (const double size : sizes) {
    const double x = axes.x.at(size);
    out += line(x, bottom, x, bottom + 5, "axis");
    const std::string name = grouped(static_cast<std::uint64_t>(size));
    const double half = 4.0 * static_cast<double>(name.size()) + 3;
    if (x + half > free_until) continue;
    out += words(x, bottom + 20, "tick middle", name);
    free_until = x - half;
  }
  out += line(frame.left, bottom, frame.width - frame.right, bottom, "axis");
  out += words((frame.left + frame.width - frame.right) / 2, frame.height - 8, "axis-name middle",
               "endpoints");
  return out;
}

std::string draw_band(const Curve& curve, const Axes& axes) {
  std::string upper;
  std::string lower;
  for (const auto& point : curve.points) {
    if (!drawable(point) || point.low <= 0) continue;
    const std::string x = fixed(axes.x.at(point.x), 1);
    upper += x + "," + fixed(axes.y.at(point.high), 1) + " ";
    lower.insert(0, x + "," + fixed(axes.y.at(point.low), 1) + " ");
  }
  return "<polygon class=\"band\" points=\"" + upper + lower + "\"/>";
}

std::string draw_curve(const Curve& curve, const Axes& axes) {
  std::string path;
  std::string points;
  for (const auto& point : curve.points) {
    if (!drawable(point)) continue;
    const std::string x = fixed(axes.x.at(point.x), 1);
    const std::string y = fixed(axes.y.at(point.y), 1);
    path += (path.empty() ? "M" : "L") + x + " " + y;
    points += "<circle cx=\"" + x + "\" cy=\"" + y + "\" r=\"4\"><title>" + escaped(point.tip) +
              "</title></circle>";
  }
  std::string out = "<g class=\"curve " + curve.colour + (curve.reference ? " reference" : "") +
                    "\" data-curve=\"" + escaped(curve.label) + "\">";
  if (!curve.reference) out += draw_band(curve, axes);
  return out + "<path d=\"" + path + "\"/>" + points + "</g>";
}

struct Name {
  const Curve* curve;
  double x, y;
};

/// At the lines' ends; names that would overlap are moved apart.
std::string draw_names(const std::vector<Curve>& curves, const Axes& axes) {
  constexpr double kDistance = 16;
  std::vector<Name> names;
  for (const auto& curve : curves) {
    const auto last = std::find_if(curve.points.rbegin(), curve.points.rend(), drawable);
    if (last == curve.points.rend()) continue;
    names.push_back({&curve, axes.x.at(last->x) + 10, axes.y.at(last->y) + 4});
  }
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.y < b.y; });
  // A few passes settle it; names far apart in x do not disturb each other.
  for (int pass = 0; pass < 40; ++pass) {
    for (std::size_t i = 1; i < names.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        Name& above = names[j];
        Name& below = names[i];
        const double overlap = kDistance - (below.y - above.y);
        if (std::abs(above.x - below.x) > 150 || overlap <= 0.01) continue;
        above.y -= overlap / 2;
        below.y += overlap / 2;
      }
    }
  }
  std::string out;
  for (const auto& name : names) {
    out += words(name.x, name.y, "name " + name.curve->colour, name.curve->label);
  }
  return out;
}

}  // namespace

std::string line_chart(const std::vector<Curve>& curves, Paper paper, const std::string& title) {
  const LineFrame frame = line_frame_for(paper);
  const bool empty = std::none_of(curves.begin(), curves.end(), [](const Curve& curve) {
    return std::any_of(curve.points.begin(), curve.points.end(), drawable);
  });
  if (empty) return {};
  const Axes axes = axes_for(curves, frame);
  std::string out = "<svg class=\"chart " + std::string(paper == Paper::wide ? "wide" : "narrow") +
                    "\" viewBox=\"0 0 " + fixed(frame.width, 0) + " " + fixed(frame.height, 0) +
                    "\" role=\"img\" aria-label=\"" + escaped(title) + "\">";
  out += draw_y_axis(axes, frame) + draw_x_axis(curves, axes, frame);
  for (const auto& curve : curves) out += draw_curve(curve, axes);
  if (frame.labels) out += draw_names(curves, axes);
  return out + "</svg>\n";
}

}  // namespace particle::bench
