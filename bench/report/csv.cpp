// SPDX-License-Identifier: Apache-2.0
#include "report/page.hpp"
#include "report/text.hpp"

namespace particle::bench {
namespace {

std::string cell(std::string text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 2) {
    text.insert(at, "\"");
  }
  return "\"" + text + "\"";
}

std::string line(const Figure& figure, const std::string& what, const std::string& unit,
                 const Series& series) {
  if (series.empty()) return {};
  std::string out = cell(figure.design) + "," + std::to_string(figure.endpoints) + "," + what +
                    "," + unit + "," + std::to_string(series.size());
  for (const double quantile : {0.5, 0.25, 0.75, 0.0, 1.0}) {
    out += "," + fixed(series.quantile(quantile), 6);
  }
  return out + "\r\n";
}

}  // namespace

std::string to_csv(const Record& record) {
  std::string out = "design,endpoints,what,unit,repeats,median,q1,q3,min,max\r\n";
  for (const auto& figure : record.figures) {
    out += line(figure, "setup", "ms", figure.setup_ms);
    out += line(figure, "release", "ms", figure.release_ms);
    out += line(figure, "gone", "ms", figure.gone_ms);
    for (std::size_t i = 0; i < kSteps; ++i) {
      out += line(figure, "S" + std::to_string(i + 1), "ms", figure.steps_ms.at(i));
    }
    out += line(figure, "kernel memory each", "KiB", figure.kernel_kib_each);
    out += line(figure, "process memory each", "KiB", figure.process_kib_each);
  }
  return out;
}

}  // namespace particle::bench
