// SPDX-License-Identifier: Apache-2.0
/// Repeated measurements and what is said about them.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/result.hpp>

namespace particle::bench {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

double to_ms(std::chrono::nanoseconds time);

/// Values of one kind, in the order in which they were measured.
class Series {
 public:
  void add(double value) { values_.push_back(value); }
  [[nodiscard]] const std::vector<double>& values() const { return values_; }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] double median() const { return quantile(0.5); }
  /// Linear between the two nearest values; 0 when there is none.
  [[nodiscard]] double quantile(double fraction) const;
  /// {"median", "q1", "q3", "min", "max", "repeats"}
  [[nodiscard]] Json to_json() const;
  /// "1.234 [1.200..1.301]": median and the middle half.
  [[nodiscard]] std::string to_text() const;

 private:
  std::vector<double> values_;
};

/// Measures one thing once, in milliseconds (or whatever the caller says).
using Measure = std::function<Result<double>()>;

/// Measures both, A B B A A B ..., so that drift of the machine hits both alike. The first round
/// only warms up.
Result<void> interleave(std::size_t repeats, const Measure& a, const Measure& b, Series& in_a,
                        Series& in_b);

}  // namespace particle::bench
