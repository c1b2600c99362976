// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "report/charts.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

struct BarFrame {
  double width;
  double left;    ///< names stand here; on narrow paper above the bars
  double right;   ///< notes stand here
  double step;    ///< from bar to bar
  double height;  ///< of a bar
};

/// The bars begin where the longest name ends.
double room_for_names(const std::vector<Bar>& bars) {
  constexpr double kLetter = 8.1;
  std::size_t longest = 0;
  for (const auto& bar : bars) longest = std::max(longest, bar.label.size());
  return 14 + kLetter * static_cast<double>(longest);
}

BarFrame bar_frame_for(const std::vector<Bar>& bars, Paper paper) {
  if (paper == Paper::wide) return {880, room_for_names(bars), 110, 36, 22};
  return {400, 0, 78, 52, 22};
}

double length_of(const Bar& bar) {
  double sum = 0;
  for (const auto& segment : bar.segments) sum += std::max(0.0, segment.value);
  return sum;
}

std::string words(double x, double y, const char* css, const std::string& text) {
  return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" class=\"" + css + "\">" +
         escaped(text) + "</text>";
}

std::string draw_segment(const Segment& segment, double x, double y, double width, double height) {
  std::string out = "<g class=\"segment " + segment.colour + "\"><rect x=\"" + fixed(x, 1) +
                    "\" y=\"" + fixed(y, 1) + "\" width=\"" + fixed(std::max(width, 0.8), 1) +
                    "\" height=\"" + fixed(height, 1) + "\"/><title>" + escaped(segment.tip) +
                    "</title>";
  const double needed = 7.2 * static_cast<double>(segment.label.size()) + 8;
  if (!segment.label.empty() && width > needed) {
    out += words(x + width / 2, y + height / 2 + 4.5, "inside middle", segment.label);
  }
  return out + "</g>";
}

std::string draw_bar(const Bar& bar, const BarFrame& frame, bool narrow, double y, double scale) {
  std::string out;
  if (narrow) {
    out += words(0, y - 6, "bar-name", bar.label);
  } else {
    out += words(frame.left - 10, y + frame.height / 2 + 4.5, "bar-name end", bar.label);
  }
  double x = frame.left;
  for (const auto& segment : bar.segments) {
    if (segment.value <= 0) continue;
    const double width = segment.value * scale;
    out += draw_segment(segment, x, y, width, frame.height);
    x += width;
  }
  return out + words(x + 8, y + frame.height / 2 + 4.5, "bar-note", bar.note);
}

}  // namespace

std::string bar_chart(const std::vector<Bar>& bars, Paper paper, const std::string& title) {
  const BarFrame frame = bar_frame_for(bars, paper);
  const bool narrow = paper == Paper::narrow;
  double longest = 0;
  for (const auto& bar : bars) longest = std::max(longest, length_of(bar));
  if (longest <= 0) return {};
  const double scale = (frame.width - frame.left - frame.right) / longest;
  const double top = narrow ? 20 : 4;
  const double height = top + frame.step * static_cast<double>(bars.size());
  std::string out = "<svg class=\"chart " + std::string(narrow ? "narrow" : "wide") +
                    "\" viewBox=\"0 0 " + fixed(frame.width, 0) + " " + fixed(height, 0) +
                    "\" role=\"img\" aria-label=\"" + escaped(title) + "\">";
  double y = top;
  for (const auto& bar : bars) {
    out += draw_bar(bar, frame, narrow, y, scale);
    y += frame.step;
  }
  return out + "</svg>\n";
}

}  // namespace particle::bench
