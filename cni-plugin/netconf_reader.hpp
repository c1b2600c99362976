// SPDX-License-Identifier: Apache-2.0
/// Reads members of a JSON object into values and remembers everything that is wrong.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "errors.hpp"

namespace particle::cni {

using Json = nlohmann::ordered_json;

/// All faults of one configuration.
class Faults {
 public:
  void invalid(std::string what) { invalid_.push_back(std::move(what)); }
  void unsupported(const std::string& key, const Json& value, const std::string& why);
  [[nodiscard]] bool none() const { return invalid_.empty() && unsupported_.empty(); }
  /// nullopt when there are none.
  [[nodiscard]] std::optional<CniError> verdict() const;

 private:
  std::vector<std::string> invalid_;
  std::vector<std::string> unsupported_;
};

/// One object. Members that nobody asked for are unsupported fields: refuse_rest() names them.
class Members {
 public:
  /// `where` is empty for the configuration itself, else "runtimeConfig."; `object` outlives this.
  Members(const Json& object, std::string where, Faults& faults)
      : object_(object), where_(std::move(where)), faults_(faults) {}

  /// The member, or null when it is absent; it counts as known.
  const Json* find(const std::string& key);
  std::optional<std::string> text(const std::string& key);
  std::optional<bool> boolean(const std::string& key);
  std::optional<std::uint64_t> number(const std::string& key);
  /// A list of strings, or (when `or_one`) a single one. Empty when absent.
  std::vector<std::string> texts(const std::string& key, bool or_one = false);
  void refuse_rest();

  /// Notes that the value of `key` is wrong.
  void wrong(const std::string& key, const std::string& why);
  [[nodiscard]] Faults& faults() { return faults_; }
  [[nodiscard]] std::string path(const std::string& key) const { return where_ + key; }

 private:
  void wrong_type(const std::string& key, const Json& value, const char* expected);

  const Json& object_;
  std::string where_;
  Faults& faults_;
  std::set<std::string> known_;
};

/// The value as one line of at most 80 characters, for messages.
std::string shown(const Json& value);

}  // namespace particle::cni
