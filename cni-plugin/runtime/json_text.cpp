// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"

#include <nlohmann/json.hpp>

namespace particle::runtime {
namespace {

using Json = nlohmann::json;

/// No container engine nests deeper than about ten.
constexpr std::size_t kMaxDepth = 200;

/// Finds where values begin and end. The text has been found valid before, so there is nothing here
/// that could fail but the depth.
class Outliner {
 public:
  explicit Outliner(const std::string& text) : text_(text) {}

  bool read(JsonValue& value, std::size_t depth = 0) {
    if (depth > kMaxDepth) return false;
    skip_space();
    value.begin = at_;
    bool ok = true;
    if (text_[at_] == '{') {
      value.kind = JsonValue::Kind::object;
      ok = read_items(value, '}', depth);
    } else if (text_[at_] == '[') {
      value.kind = JsonValue::Kind::array;
      ok = read_items(value, ']', depth);
    } else if (text_[at_] == '"') {
      value.kind = JsonValue::Kind::string;
      skip_string();
    } else {
      at_ = text_.find_first_of(",]} \t\r\n", at_);
      if (at_ == std::string::npos) at_ = text_.size();
    }
    value.end = at_;
    return ok;
  }

 private:
  void skip_space() { at_ = text_.find_first_not_of(" \t\r\n", at_); }

  void skip_string() {
    for (++at_; text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    ++at_;
  }

  std::string read_key() {
    skip_space();
    const std::size_t begin = at_;
    skip_string();
    auto key = Json::parse(text_.substr(begin, at_ - begin)).get<std::string>();
    skip_space();
    ++at_;  // the colon
    return key;
  }

  bool read_items(JsonValue& value, char closing, std::size_t depth) {
    ++at_;
    skip_space();
    while (text_[at_] != closing) {
      if (value.is_object()) value.keys.push_back(read_key());
      if (!read(value.items.emplace_back(), depth + 1)) return false;
      skip_space();
      if (text_[at_] == ',') ++at_;
      skip_space();
    }
    ++at_;
    return true;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

/// The parser's complaint without nlohmann's numbering in front.
std::string complaint(const std::string& text) {
  try {
    const Json ignored = Json::parse(text);
    return "it cannot be read";
  } catch (const Json::exception& error) {
    const std::string words = error.what();
    const std::size_t start = words.find("] ");
    return start == std::string::npos ? words : words.substr(start + 2);
  }
}

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const noexcept {
  for (std::size_t i = keys.size(); i > 0; --i) {
    if (keys[i - 1] == key) return &items[i - 1];
  }
  return nullptr;
}

Result<JsonText> JsonText::parse(std::string text) {
  if (!Json::accept(text)) return fail(Error::of(Errc::invalid_argument, complaint(text)));
  // nlohmann passes over a byte order mark, as does the outline.
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  JsonText json;
  json.text_ = std::move(text);
  if (!Outliner(json.text_).read(json.root_)) {
    return fail(Error::of(Errc::invalid_argument,
                          "values are nested deeper than " + std::to_string(kMaxDepth)));
  }
  return json;
}

std::optional<std::string> JsonText::string(const JsonValue* value) const {
  if (value == nullptr || value->kind != JsonValue::Kind::string) return std::nullopt;
  return Json::parse(text_.substr(value->begin, value->end - value->begin)).get<std::string>();
}

std::optional<std::string> JsonText::string(const JsonValue& object, std::string_view key) const {
  return string(object.find(key));
}

void JsonEdits::replace(const JsonValue& value, std::string text) {
  changes_.insert({value.begin, {value.end, std::move(text)}});
}

void JsonEdits::set(const JsonValue& object, std::string_view key, const std::string& text) {
  if (const JsonValue* present = object.find(key)) {
    replace(*present, text);
    return;
  }
  const std::size_t inside = object.begin + 1;
  std::string member = json_string(key) + ":" + text;
  if (!object.items.empty()) {
    member += ",";
  } else if (changes_.contains(inside)) {
    member.insert(0, ",");
  }
  changes_.insert({inside, {inside, std::move(member)}});
}

void JsonEdits::rebuild(const JsonValue& array, const std::vector<bool>& keep,
                        const std::vector<std::string>& added) {
  std::string text;
  const auto append = [&](std::string_view item) {
    text += text.empty() ? "" : ",";
    text += item;
  };
  for (std::size_t i = 0; i < array.items.size(); ++i) {
    const JsonValue& item = array.items[i];
    if (keep[i]) append(std::string_view(json_.text()).substr(item.begin, item.end - item.begin));
  }
  for (const std::string& item : added) append(item);
  replace(array, "[" + text + "]");
}

void JsonEdits::append(const JsonValue& array, const std::vector<std::string>& added) {
  const std::size_t behind = array.end - 1;
  std::string text;
  for (const std::string& item : added) {
    text += (text.empty() && array.items.empty() ? "" : ",") + item;
  }
  changes_.insert({behind, {behind, text}});
}

std::string JsonEdits::apply() const {
  std::string result;
  std::size_t copied = 0;
  for (const auto& [begin, change] : changes_) {
    result.append(json_.text(), copied, begin - copied);
    result += change.text;
    copied = change.end;
  }
  result.append(json_.text(), copied);
  return result;
}

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace particle::runtime
