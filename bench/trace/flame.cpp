// SPDX-License-Identifier: Apache-2.0
/// Flame graphs.
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "trace/trace.hpp"

namespace particle::trace {
namespace {

constexpr double kWidth = 1200;
constexpr double kRow = 19;
constexpr double kNarrowest = 0.6;  ///< boxes below this many pixels are left out
constexpr double kLetter = 6.7;

/// A function on one path of calls.
struct Box {
  double ms = 0;
  std::map<std::string, double> operations;  ///< time by operation: the largest gives the colour
  std::map<std::string, Box> children;
};

std::string fixed(double value, int digits) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

void put(Box& root, const Entry& entry) {
  const std::string operation(operation_of(entry));
  std::vector<std::string> path{entry.command};
  if (!entry.step.empty()) path.push_back("[" + entry.step + "]");
  path.insert(path.end(), entry.frames.begin(), entry.frames.end());
  if (entry.frames.empty()) path.emplace_back("[user space]");
  if (entry.kind == Kind::runnable) path.emplace_back("[waits for a processor]");
  Box* box = &root;
  box->ms += entry.ms;
  for (const auto& name : path) {
    box = &box->children[name];
    box->ms += entry.ms;
    box->operations[operation] += entry.ms;
  }
}

std::size_t depth_of(const Box& box, double ms_per_pixel) {
  std::size_t deepest = 0;
  for (const auto& [name, child] : box.children) {
    if (child.ms / ms_per_pixel < kNarrowest) continue;
    deepest = std::max(deepest, 1 + depth_of(child, ms_per_pixel));
  }
  return deepest;
}

std::string colour_of(const Box& box) {
  const auto most =
      std::max_element(box.operations.begin(), box.operations.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == box.operations.end() ? "other" : most->first;
}

struct Drawing {
  double ms_per_pixel;
  double all_ms;
  double bottom;  ///< where the outermost row is
  std::string out;
};

void draw(Drawing& drawing, const Box& box, double x, std::size_t level) {
  for (const auto& [name, child] : box.children) {
    const double width = child.ms / drawing.ms_per_pixel;
    if (width < kNarrowest) {
      x += width;
      continue;
    }
    const double y = drawing.bottom - kRow * static_cast<double>(level + 1);
    drawing.out += "<g class=\"box op-" + colour_of(child) + "\"><title>" + escaped(name) + ": " +
                   fixed(child.ms, 2) + " ms, " + fixed(child.ms / drawing.all_ms * 100, 1) +
                   "%</title><rect x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" width=\"" +
                   fixed(std::max(width - 0.6, 0.4), 1) + "\" height=\"" + fixed(kRow - 1, 0) +
                   "\" rx=\"2\"/>";
    const auto letters = static_cast<std::size_t>(std::max(0.0, (width - 8) / kLetter));
    if (letters >= 3) {
      const std::string label = name.size() <= letters ? name : name.substr(0, letters - 1) + "…";
      drawing.out += "<text x=\"" + fixed(x + 4, 1) + "\" y=\"" + fixed(y + 13, 1) + "\">" +
                     escaped(label) + "</text>";
    }
    drawing.out += "</g>\n";
    draw(drawing, child, x, level + 1);
    x += width;
  }
}

constexpr std::string_view kStyle =
    "<style>svg{background:#fff;font:12px system-ui,'DejaVu Sans',sans-serif}"
    ".box text{fill:#15191f;font-size:12px}.title{font-size:16px;font-weight:600;fill:#15191f}"
    ".box rect{fill:#c3ccd6}.op-moves rect{fill:#f08a6c}.op-namespace rect{fill:#8fb8de}"
    ".op-device rect{fill:#a9cbe8}.op-device-setup rect,.op-device-removal rect{fill:#b9d8d2}"
    ".op-addresses rect,.op-routes rect{fill:#9bd0b5}.op-processes rect,.op-memory "
    "rect{fill:#f2cf83}"
    ".op-user rect{fill:#e6e9ed}.op-idle rect{fill:#eef0f3}.op-mounts rect{fill:#d7c3ea}"
    "@media(prefers-color-scheme:dark){svg{background:#171c23}.title{fill:#e8ecf1}"
    ".op-user rect,.op-idle rect{fill:#98a3b1}}</style>";

}  // namespace

std::string flame_graph(const std::vector<Entry>& entries, const std::string& title, bool alone) {
  Box root;
  for (const auto& entry : entries) {
    // What a thread waits for of its own accord would only hide the rest.
    if (operation_of(entry) != "idle") put(root, entry);
  }
  if (root.ms <= 0) return {};
  Drawing drawing{root.ms / kWidth, root.ms, 0, {}};
  const double top = alone ? 34 : 0;
  drawing.bottom = top + kRow * static_cast<double>(depth_of(root, drawing.ms_per_pixel));
  draw(drawing, root, 0, 0);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flame\" viewBox=\"0 0 " +
                    fixed(kWidth, 0) + " " + fixed(drawing.bottom, 0) +
                    "\" role=\"img\" aria-label=\"" + escaped(title) + "\">\n";
  if (alone) {
    out += std::string(kStyle) + "\n<text class=\"title\" x=\"2\" y=\"20\">" + escaped(title) +
           ", " + fixed(root.ms, 1) + " ms</text>\n";
  }
  return out + drawing.out + "</svg>\n";
}

}  // namespace particle::trace
