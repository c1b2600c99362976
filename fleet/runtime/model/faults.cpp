// SPDX-License-Identifier: Apache-2.0
#include "model/faults.hpp"

namespace particle::fleet {
namespace {

constexpr std::size_t kLongestShown = 60;
constexpr std::size_t kMostShown = 50;  // a file with a thousand faults has one cause

}  // namespace

void Faults::add(std::string_view where, const Error& error) {
  const std::string prefix(where);
  if (error.details.empty()) {
    add(prefix + error.operation + (error.hint.empty() ? "" : " (" + error.hint + ")"));
    return;
  }
  for (const std::string& detail : error.details) add(prefix + detail);
}

Result<void> Faults::verdict(std::string_view subject) const {
  if (faults_.empty()) return {};
  const std::string name(subject);
  if (faults_.size() == 1) {
    return fail(Error::of(Errc::invalid_argument, name + ": " + faults_.front()));
  }
  Error error =
      Error::of(Errc::invalid_argument, name + ": " + std::to_string(faults_.size()) + " faults",
                "nothing was started; correct them all and try again");
  for (std::size_t i = 0; i < faults_.size() && i < kMostShown; ++i) {
    error.details.push_back(faults_[i]);
  }
  if (faults_.size() > kMostShown) {
    error.details.push_back("and " + std::to_string(faults_.size() - kMostShown) + " more");
  }
  return fail(std::move(error));
}

std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value.substr(0, kLongestShown)) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return out + (value.size() > kLongestShown ? "...\"" : "\"");
}

}  // namespace particle::fleet
