// SPDX-License-Identifier: Apache-2.0
/// JSON text that is changed in places and otherwise kept byte for byte: unknown keys, their order,
/// the way numbers are written and the white space are the business of whoever wrote the file.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/result.hpp>

namespace particle::runtime {

/// A value of a document: where it is in the text, and what is inside it.
class JsonValue {
 public:
  enum class Kind : std::uint8_t { object, array, string, other };

  Kind kind = Kind::other;
  std::size_t begin = 0;  ///< offset of the value's first byte
  std::size_t end = 0;    ///< one past its last
  /// Of an object: the keys, decoded, in the order of the text; parallel to `items`.
  std::vector<std::string> keys;
  std::vector<JsonValue> items;

  [[nodiscard]] bool is_object() const noexcept { return kind == Kind::object; }
  [[nodiscard]] bool is_array() const noexcept { return kind == Kind::array; }
  /// The member of this name, the last one where a name is repeated (as Go's decoder has it); null
  /// when there is none or this is no object.
  [[nodiscard]] const JsonValue* find(std::string_view key) const noexcept;
};

/// Parsed text. Errors are found when it is made; afterwards only the lookups below are needed.
class JsonText {
 public:
  /// Errors: invalid_argument, with the parser's words.
  static Result<JsonText> parse(std::string text);

  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const JsonValue& root() const noexcept { return root_; }
  /// The decoded string; nullopt when the value is missing or no string.
  [[nodiscard]] std::optional<std::string> string(const JsonValue* value) const;
  /// An object's member that is a string, as find() and string().
  [[nodiscard]] std::optional<std::string> string(const JsonValue& object,
                                                  std::string_view key) const;

 private:
  std::string text_;
  JsonValue root_;
};

/// Changes of one document, collected and then made at once. Two may not overlap.
class JsonEdits {
 public:
  explicit JsonEdits(const JsonText& json) : json_(json) {}

  /// `text` is JSON.
  void replace(const JsonValue& value, std::string text);
  /// Adds or replaces a member of an object.
  void set(const JsonValue& object, std::string_view key, const std::string& text);
  /// Drops the elements of an array that are marked false in `keep` and appends `added`.
  void rebuild(const JsonValue& array, const std::vector<bool>& keep,
               const std::vector<std::string>& added);

  /// Adds elements behind the last one of an array.
  void append(const JsonValue& array, const std::vector<std::string>& added);

  [[nodiscard]] std::string apply() const;

 private:
  struct Change {
    std::size_t end;
    std::string text;
  };
  const JsonText& json_;
  std::multimap<std::size_t, Change> changes_;  ///< by the offset at which they begin
};

/// A string as JSON, quoted and escaped; bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace particle::runtime
