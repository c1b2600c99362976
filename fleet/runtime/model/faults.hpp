// SPDX-License-Identifier: Apache-2.0
/// What is wrong with an input, gathered so that one error names it all. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle::fleet {

class Faults {
 public:
  void add(std::string fault) { faults_.push_back(std::move(fault)); }
  /// The faults of a part, each behind `where`.
  void add(std::string_view where, const Error& error);
  [[nodiscard]] bool none() const noexcept { return faults_.empty(); }
  [[nodiscard]] const std::vector<std::string>& all() const noexcept { return faults_; }
  /// Success when there are none. A single one is the error itself, several are its details.
  [[nodiscard]] Result<void> verdict(std::string_view subject) const;

 private:
  std::vector<std::string> faults_;
};

/// A value as it may be shown in an error: quoted, shortened, without control bytes.
std::string in_quotes(std::string_view value);

}  // namespace particle::fleet
