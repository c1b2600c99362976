// SPDX-License-Identifier: Apache-2.0
/// Everything that is wrong with a pipespec, each with its line.
#pragma once

#include <map>
#include <set>
#include <string>

#include <particle/result.hpp>

#include "spec/positions.hpp"

namespace particle::sprocket {

class Faults {
 public:
  Faults(std::string name, const Positions& positions);
  /// `pointer`: a JSON pointer to what is wrong.
  void add(const std::string& pointer, const std::string& what);
  /// Remembers where an object stands, for faults that are found later.
  void place(const std::string& object, const std::string& pointer) { places_[object] = pointer; }
  void add_at(const std::string& object, const std::string& key, const std::string& what);
  /// Errors: invalid_argument with all faults, in the order of their lines.
  [[nodiscard]] Result<void> verdict() const;

 private:
  std::string name_;
  const Positions& positions_;
  std::map<std::string, std::string> places_;
  std::set<std::pair<std::uint64_t, std::string>> faults_;
};

}  // namespace particle::sprocket
