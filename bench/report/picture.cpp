// SPDX-License-Identifier: Apache-2.0
#include "report/picture.hpp"

#include <map>
#include <utility>

#include "report/page.hpp"
#include "report_assets.hpp"

namespace particle::bench {
namespace {

using Colours = std::map<std::string, std::string>;

/// Programs that draw SVG know no CSS variables: those of the light theme, by name.
Colours light_colours() {
  Colours out;
  const std::string_view css = kReportCss;
  const auto end = css.find('}');
  for (std::size_t at = css.find("--"); at < end; at = css.find("--", at)) {
    const auto colon = css.find(':', at);
    const auto stop = css.find(';', colon);
    const auto value = css.find_first_not_of(' ', colon + 1);
    out[std::string(css.substr(at + 2, colon - at - 2))] = css.substr(value, stop - value);
    at = stop;
  }
  return out;
}

/// A class that stands for a colour: those of designs, steps and ways of waiting.
bool is_colour_class(const std::string& name) {
  if (name == "paper" || name == "other") return true;
  const bool numbered = name.find_first_not_of("0123456789", 1) == std::string::npos;
  return name.size() > 1 && numbered && (name[0] == 'c' || name[0] == 's' || name[0] == 'w');
}

std::string style() {
  const Colours colours = light_colours();
  const auto colour = [&](const char* name) { return colours.at(name); };
  std::string out =
      "<style>text{font-family:system-ui,'Noto Sans','DejaVu Sans',sans-serif;fill:" +
      colour("ink") + "}.tick,.axis-name{font-size:13px;fill:" + colour("soft") +
      "}.name{font-size:13.5px;font-weight:600}.middle{text-anchor:middle}.end{text-anchor:end}"
      ".grid{stroke:" +
      colour("rule") + "}.axis{stroke:" + colour("soft") +
      "}.curve path{fill:none;stroke-width:2.4}.curve .band{opacity:.16}"
      ".reference path{stroke-dasharray:5 5;stroke-width:1.6}.bar-name{font-size:14px}"
      ".bar-note{font-size:14px;font-weight:600}.inside{font-size:12.5px;font-weight:600;fill:" +
      colour("inside") + "}";
  for (const auto& [name, value] : colours) {
    if (!is_colour_class(name)) continue;
    out += ".curve." + name + " path{stroke:" + value + "}.curve." + name + " circle,.curve." +
           name + " .band,.name." + name + ",.segment." + name + " rect{fill:" + value + "}";
  }
  for (const char* light : {"s1", "s4", "s5", "s6"}) {
    out += std::string(".segment.") + light + " .inside{fill:" + colour("inside-light") + "}";
  }
  return out + R"(</style><rect width="100%" height="100%" fill=")" + colour("card") + R"("/>)";
}

/// The first chart for wide paper in a piece of the page, with what a file needs.
std::string chart_in(std::string_view html) {
  constexpr std::string_view kBegin = "<svg class=\"chart wide\"";
  constexpr std::string_view kEnd = "</svg>";
  const auto begin = html.find(kBegin);
  if (begin == std::string_view::npos) return {};
  const auto inside = html.find('>', begin) + 1;
  const auto end = html.find(kEnd, inside) + kEnd.size();
  return "<svg xmlns=\"http://www.w3.org/2000/svg\"" +
         std::string(html.substr(begin + 4, inside - begin - 4)) + style() +
         std::string(html.substr(inside, end - inside)) + "\n";
}

}  // namespace

std::vector<Picture> pictures(const Record& record) {
  constexpr std::string_view kHeading = "<h2 id=\"";
  const std::string page = to_html(record);
  std::vector<Picture> out;
  for (auto at = page.find(kHeading); at != std::string::npos;) {
    const auto next = page.find(kHeading, at + 1);
    const auto name = at + kHeading.size();
    std::string svg = chart_in(std::string_view(page).substr(at, next - at));
    if (!svg.empty()) {
      out.push_back({page.substr(name, page.find('"', name) - name), std::move(svg)});
    }
    at = next;
  }
  return out;
}

}  // namespace particle::bench
