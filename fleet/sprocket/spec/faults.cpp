// SPDX-License-Identifier: Apache-2.0
#include "spec/faults.hpp"

namespace particle::sprocket {

Faults::Faults(std::string name, const Positions& positions)
    : name_(std::move(name)), positions_(positions) {
  for (const auto& [line, key] : positions.repeated) {
    faults_.emplace(line, "key \"" + key + "\" is given twice");
  }
}

void Faults::add(const std::string& pointer, const std::string& what) {
  faults_.emplace(positions_.line_of(pointer), what);
}

void Faults::add_at(const std::string& object, const std::string& key, const std::string& what) {
  add(places_[object] + (key.empty() ? "" : "/" + key), what);
}

Result<void> Faults::verdict() const {
  if (faults_.empty()) return {};
  Error error = Error::of(Errc::invalid_argument, "pipespec " + name_);
  for (const auto& [line, what] : faults_) {
    error.details.push_back(name_ + ":" + std::to_string(line) + ": " + what);
  }
  return fail(std::move(error));
}

}  // namespace particle::sprocket
