// SPDX-License-Identifier: Apache-2.0
/// Charts as inline SVG. Colours are the page's CSS classes, so that both themes work. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace particle::bench {

/// What a chart is drawn for: it is made twice, and the page shows the one that fits.
enum class Paper : std::uint8_t { wide, narrow };

struct Point {
  double x = 0;
  double y = 0;
  double low = 0;  ///< the band around the line; as y where there is none
  double high = 0;
  std::string tip;  ///< shown when the pointer rests on it
};

struct Curve {
  std::string label;
  std::string colour;      ///< a CSS class: "c0" to "c6", "paper"
  bool reference = false;  ///< dashed, hollow points: somebody else's measurement
  std::vector<Point> points;
};

/// Milliseconds against endpoints, both axes logarithmic. Values that are not positive are left out.
std::string line_chart(const std::vector<Curve>& curves, Paper paper, const std::string& title);

struct Segment {
  double value = 0;
  std::string colour;
  std::string label;  ///< inside, where there is room
  std::string tip;
};

struct Bar {
  std::string label;
  std::string note;  ///< behind the bar
  std::vector<Segment> segments;
};

/// Horizontal bars from zero, all to one scale: the longest fills the chart.
std::string bar_chart(const std::vector<Bar>& bars, Paper paper, const std::string& title);

}  // namespace particle::bench
