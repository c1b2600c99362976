// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/timeline.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

namespace particle::fleet {
namespace {

constexpr std::size_t kMostRows = 300;
constexpr double kWidth = 860;
constexpr double kLeft = 64;
constexpr double kRight = 16;
constexpr double kTop = 64;
constexpr double kBottom = 40;
constexpr double kPicture = 480;  ///< of all rows, where there are many
constexpr double kTallest = 18;   ///< of one row

/// What a row is made of: the time from one event to the next, under the phase that began it.
struct Span {
  Phase phase;
  double from, to;  ///< ms since the job's first event
};
struct Row {
  std::uint64_t instance = 0;
  std::string node;
  double begin = 0;
  std::vector<Span> spans;
  std::optional<Ended> ended;
};

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return text.data();
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

double milliseconds_between(std::chrono::system_clock::time_point from,
                            std::chrono::system_clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

/// In order of time, and of phases: on a busy node what an instance says of itself can be older than what
/// its init, which waits for a processor, says of its start.
void put_in_order(std::vector<const Event*>& events) {
  std::stable_sort(events.begin(), events.end(), [](const Event* a, const Event* b) {
    return a->attempt != b->attempt ? a->attempt < b->attempt : a->at < b->at;
  });
  const Event* last = nullptr;
  std::erase_if(events, [&](const Event* event) {
    const bool late =
        last != nullptr && event->attempt == last->attempt && event->phase < last->phase;
    if (!late) last = event;
    return late;
  });
}

Row make_row(std::vector<const Event*> events, std::chrono::system_clock::time_point zero) {
  put_in_order(events);
  Row row;
  row.instance = events.front()->instance;
  row.begin = milliseconds_between(zero, events.front()->at);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Event& event = *events[i];
    row.node = event.node;
    if (event.phase == Phase::done) {
      row.ended = event.ended;
      continue;
    }
    const double from = milliseconds_between(zero, event.at);
    const double to = i + 1 < events.size() ? milliseconds_between(zero, events[i + 1]->at) : from;
    row.spans.push_back({event.phase, from, to});
  }
  return row;
}

std::vector<Row> make_rows(const std::vector<Event>& events) {
  auto zero = events.front().at;
  std::map<std::uint64_t, std::vector<const Event*>> by_instance;
  for (const Event& event : events) {
    zero = std::min(zero, event.at);
    by_instance[event.instance].push_back(&event);
  }
  std::vector<Row> rows;
  rows.reserve(by_instance.size());
  for (auto& [instance, its] : by_instance) rows.push_back(make_row(std::move(its), zero));
  const auto runs_from = [](const Row& row) {
    for (const Span& span : row.spans) {
      if (span.phase >= Phase::started) return span.from;
    }
    return row.begin;
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Row& a, const Row& b) { return runs_from(a) < runs_from(b); });
  return rows;
}

/// The middle one of each group, where there are more rows than can be told apart.
std::vector<Row> thinned(std::vector<Row> rows) {
  if (rows.size() <= kMostRows) return rows;
  std::vector<Row> out;
  for (std::size_t i = 0; i < kMostRows; ++i) {
    const std::size_t from = i * rows.size() / kMostRows;
    const std::size_t to = (i + 1) * rows.size() / kMostRows;
    out.push_back(std::move(rows[(from + to) / 2]));
  }
  return out;
}

/// 1, 2 or 5 times a power of ten: five to ten of them make the whole.
double tick_of(double whole) {
  const double rough = whole / 8;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (power * factor >= rough) return power * factor;
  }
  return power * 10;
}

std::string time_text(double ms, double whole) {
  std::array<char, 32> text{};
  if (whole >= 2000) {
    std::snprintf(text.data(), text.size(), "%g s", ms / 1000);
  } else {
    std::snprintf(text.data(), text.size(), "%g ms", ms);
  }
  return text.data();
}

std::string style() {
  // Colours and not variables: drawing programs that know nothing of those would paint all black.
  return "<style>svg{font-family:system-ui,sans-serif;background:#fff}"
         "text{fill:#15191f;font-size:13px}.soft{fill:#5a6472}.end{text-anchor:end}"
         ".middle{text-anchor:middle}.grid{stroke:#e3e7ec}"
         ".queued{fill:#c3ccd6}.leased{fill:#93a1b0}.created{fill:#e9a23b}.started{fill:#0a5fb4}"
         ".connected{fill:#7fa8cf}.transferring{fill:#8a4fb5}.processing{fill:#00876a}"
         ".bad{fill:#c2341d}"
         "@media(prefers-color-scheme:dark){svg{background:#171c23}text{fill:#e8ecf1}"
         ".soft{fill:#98a3b1}.grid{stroke:#2a323c}.queued{fill:#4d5865}.leased{fill:#7c8998}"
         ".created{fill:#f2b03d}.started{fill:#62aef5}.connected{fill:#457bb0}"
         ".transferring{fill:#bd8ce6}.processing{fill:#3ccfa4}.bad{fill:#ff7a5f}}</style>";
}

/// The names of the phases that appear, above the rows.
std::string legend(const std::vector<Row>& rows) {
  std::array<bool, 8> seen{};
  bool bad = false;
  for (const Row& row : rows) {
    bad = bad || (row.ended && *row.ended != Ended::ok);
    for (const Span& span : row.spans) seen.at(static_cast<std::size_t>(span.phase)) = true;
  }
  std::string out;
  double x = kLeft;
  const auto entry = [&](std::string_view css, std::string_view text) {
    out += "<rect class=\"" + std::string(css) + "\" x=\"" + number(x) +
           "\" y=\"34\" width=\"12\" height=\"12\" rx=\"2\"/><text x=\"" + number(x + 17) +
           "\" y=\"45\">" + std::string(text) + "</text>";
    x += 34 + 7.4 * static_cast<double>(text.size());
  };
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const std::string_view name = to_string(static_cast<Phase>(i));
    if (seen[i]) entry(name, name);
  }
  if (bad) entry("bad", "ended badly");
  return out;
}

std::string draw_row(const Row& row, double y, double height, double scale) {
  std::string out = "<g><title>instance " + std::to_string(row.instance) + " on " +
                    escaped(row.node) +
                    (row.ended ? ": " + std::string(to_string(*row.ended)) : "") + "</title>";
  double end = kLeft;
  for (const Span& span : row.spans) {
    const double x = kLeft + span.from * scale;
    end = kLeft + span.to * scale;
    out += "<rect class=\"" + std::string(to_string(span.phase)) + "\" x=\"" + number(x) +
           "\" y=\"" + number(y) + "\" width=\"" + number(std::max(end - x, 0.0)) + "\" height=\"" +
           number(height) + "\"/>";
  }
  if (row.ended && *row.ended != Ended::ok) {
    out += "<rect class=\"bad\" x=\"" + number(end) + "\" y=\"" + number(y) +
           "\" width=\"4\" height=\"" + number(height) + "\"/>";
  }
  return out + "</g>\n";
}

std::string draw_axis(double whole, double scale, double bottom) {
  std::string out;
  const double tick = tick_of(whole);
  for (int i = 0; i * tick <= whole * 1.0001; ++i) {
    const double at = i * tick;
    const std::string x = number(kLeft + at * scale);
    out += "<line class=\"grid\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"" + number(kTop) +
           "\" y2=\"" + number(bottom) + "\"/><text class=\"soft middle\" x=\"" + x + "\" y=\"" +
           number(bottom + 18) + "\">" + time_text(at, whole) + "</text>";
  }
  return out;
}

std::string empty_picture() {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 400 60\">" + style() +
         "<text x=\"20\" y=\"35\">no events</text></svg>\n";
}

}  // namespace

std::string draw_timeline(const std::vector<Event>& events) {
  if (events.empty()) return empty_picture();
  std::vector<Row> rows = make_rows(events);
  const std::size_t instances = rows.size();
  double whole = 0;
  for (const Row& row : rows) {
    for (const Span& span : row.spans) whole = std::max(whole, span.to);
  }
  whole = std::max(whole, 0.001);
  rows = thinned(std::move(rows));
  const double step = std::min(kTallest, kPicture / static_cast<double>(rows.size()));
  const double bottom = kTop + step * static_cast<double>(rows.size());
  const double scale = (kWidth - kLeft - kRight) / whole;
  std::string title = escaped(events.front().job) + ": " + std::to_string(instances) +
                      (instances == 1 ? " instance" : " instances");
  if (rows.size() < instances) {
    title += ", each row one of " + std::to_string((instances + rows.size() - 1) / rows.size());
  }
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(kWidth) +
                    " " + number(bottom + kBottom) + "\" role=\"img\">" + style() + "<text x=\"" +
                    number(kLeft) + "\" y=\"22\" font-weight=\"600\">" + title + "</text>" +
                    legend(rows) + draw_axis(whole, scale, bottom) + "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double y = kTop + step * static_cast<double>(i);
    const double gap = step > 6 ? 2 : 0;
    if (step >= 12) {
      out += "<text class=\"soft end\" x=\"" + number(kLeft - 8) + "\" y=\"" +
             number(y + step / 2 + 3) + "\">" + std::to_string(rows[i].instance) + "</text>";
    }
    out += draw_row(rows[i], y, step - gap, scale);
  }
  return out + "</svg>\n";
}

}  // namespace particle::fleet
