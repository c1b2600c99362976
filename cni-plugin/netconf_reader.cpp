// SPDX-License-Identifier: Apache-2.0
#include "netconf_reader.hpp"

namespace particle::cni {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

}  // namespace

std::string shown(const Json& value) {
  constexpr std::size_t kMost = 80;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kMost) text.replace(kMost - 3, std::string::npos, "...");
  return text;
}

void Faults::unsupported(const std::string& key, const Json& value, const std::string& why) {
  unsupported_.push_back("\"" + key + "\": " + shown(value) +
                         (why.empty() ? "" : " (" + why + ")"));
}

std::optional<CniError> Faults::verdict() const {
  if (none()) return std::nullopt;
  const std::string unsupported =
      unsupported_.empty() ? "" : "unsupported in the configuration: " + joined(unsupported_);
  if (invalid_.empty()) return CniError{Code::unsupported_field, unsupported, {}};
  return CniError{Code::invalid_config, "invalid configuration: " + joined(invalid_), unsupported};
}

const Json* Members::find(const std::string& key) {
  known_.insert(key);
  const auto found = object_.find(key);
  // null is how some generators spell "not given".
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::string> Members::text(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  wrong_type(key, *value, "a string");
  return std::nullopt;
}

std::optional<bool> Members::boolean(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_boolean()) return value->get<bool>();
  wrong_type(key, *value, "true or false");
  return std::nullopt;
}

std::optional<std::uint64_t> Members::number(const std::string& key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  wrong_type(key, *value, "a whole number, not negative");
  return std::nullopt;
}

std::vector<std::string> Members::texts(const std::string& key, bool or_one) {
  std::vector<std::string> out;
  const Json* value = find(key);
  if (value == nullptr) return out;
  if (or_one && value->is_string()) return {value->get<std::string>()};
  if (value->is_array()) {
    for (const auto& item : *value) {
      if (item.is_string()) out.push_back(item.get<std::string>());
    }
    if (out.size() == value->size()) return out;
  }
  wrong_type(key, *value, or_one ? "a string or a list of strings" : "a list of strings");
  return {};
}

void Members::refuse_rest() {
  for (const auto& [key, value] : object_.items()) {
    // The specification keeps this prefix for what runtimes add.
    if (!known_.contains(key) && !key.starts_with("cni.dev/"))
      faults_.unsupported(where_ + key, value, "particle-cni has no such key");
  }
}

void Members::wrong(const std::string& key, const std::string& why) {
  const auto found = object_.find(key);
  faults_.invalid("\"" + where_ + key + "\"" +
                  (found == object_.end() ? "" : ": " + shown(*found)) + ": " + why);
}

void Members::wrong_type(const std::string& key, const Json& value, const char* expected) {
  faults_.invalid("\"" + where_ + key + "\": " + shown(value) + " is not " + expected);
}

}  // namespace particle::cni
