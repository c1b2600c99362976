// SPDX-License-Identifier: Apache-2.0
/// Reads one JSON object strictly: every wrong type, missing key and unknown key is a fault that says
/// where it is. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/faults.hpp"

namespace particle::fleet {

using Json = nlohmann::json;

/// Errors: invalid_argument with the parser's words.
Result<Json> parse_json(std::string_view text, std::string_view subject);
/// One line; bytes that are not UTF-8 become U+FFFD, as JSON has no others.
std::string dump(const Json& value);

class ObjectReader {
 public:
  /// `where`: "function.", what stands before a key in faults. A value that is no object is a fault,
  /// and reads as an empty one.
  ObjectReader(const Json& value, std::string where, Faults& faults);
  ObjectReader(const ObjectReader&) = delete;
  ObjectReader& operator=(const ObjectReader&) = delete;

  /// The value of a key, or nothing; what is read counts as known. null counts as absent.
  const Json* find(const char* key);
  const Json* need(const char* key);

  void text(const char* key, std::string& out);
  void need_text(const char* key, std::string& out);
  void flag(const char* key, bool& out);
  std::optional<std::uint64_t> number(const char* key, std::uint64_t most = UINT64_MAX);
  std::optional<std::int64_t> integer(const char* key);
  std::optional<double> decimal(const char* key);
  void texts(const char* key, std::vector<std::string>& out);
  /// Calls `take(element, where)` for each element of an array.
  template <class Take>
  void each(const char* key, Take take) {
    const Json* list = find(key);
    if (list == nullptr) return;
    if (!list->is_array()) return wrong(key, "an array", *list);
    for (std::size_t i = 0; i < list->size(); ++i) {
      take((*list)[i], where_ + key + "[" + std::to_string(i) + "]");
    }
  }
  void wrong(const char* key, std::string_view expected, const Json& found);
  void fault(const char* key, std::string_view what);
  /// Last: keys that nobody asked for are faults.
  void no_more();
  [[nodiscard]] std::string path(const char* key) const { return where_ + key; }
  Faults& faults() noexcept { return faults_; }

 private:
  const Json* object_;
  std::string where_;
  Faults& faults_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace particle::fleet
