// SPDX-License-Identifier: Apache-2.0
/// Records of runs that never took place.
#pragma once

#include <initializer_list>
#include <string>

#include "harness/record.hpp"

namespace particle::test {

inline bench::Series series_of(std::initializer_list<double> values) {
  bench::Series out;
  for (const double value : values) out.add(value);
  return out;
}

inline bench::Figure figure_of(const std::string& design, std::uint64_t endpoints,
                               std::initializer_list<double> setup) {
  bench::Figure out;
  out.design = design;
  out.endpoints = endpoints;
  out.setup_ms = series_of(setup);
  out.release_ms = series_of({0.1});
  out.gone_ms = series_of({20, 21, 22});
  out.kernel_kib_each = series_of({300});
  out.process_kib_each = series_of({1});
  return out;
}

inline bench::Record record_of(std::initializer_list<bench::Figure> figures) {
  bench::Record out;
  out.program = "particle 0";
  out.complete = true;
  out.machine = {
      {"kernel", "6.1"}, {"processor", "a processor"}, {"cpus", 2}, {"date", "2026-01-01"}};
  for (const auto& design : bench::designs()) {
    out.designs.push_back(
        {std::string(design.name), std::string(design.title), "", "", 1, "", design.kind});
  }
  out.figures = figures;
  return out;
}

}  // namespace particle::test
