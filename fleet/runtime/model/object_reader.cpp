// SPDX-License-Identifier: Apache-2.0
#include "model/object_reader.hpp"

namespace particle::fleet {
namespace {

const Json kEmpty = Json::object();

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view subject) {
  // Deep nesting is refused before the parser's tree is built: its destructor would recurse.
  constexpr int kDeepest = 32;
  bool too_deep = false;
  std::string words;
  Json value;
  try {
    value = Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
      too_deep = too_deep || depth > kDeepest;
      return depth <= kDeepest;
    });
  } catch (const Json::exception& error) {
    words = error.what();
  }
  if (too_deep) words = "nested more than 32 deep";
  if (words.empty()) return value;
  const std::size_t end_of_prefix = words.find("] ");
  return fail(Error::of(
      Errc::invalid_argument,
      std::string(subject) + ": not JSON: " +
          (end_of_prefix == std::string::npos ? words : words.substr(end_of_prefix + 2))));
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ObjectReader::ObjectReader(const Json& value, std::string where, Faults& faults)
    : object_(&value), where_(std::move(where)), faults_(faults) {
  if (value.is_object()) return;
  object_ = &kEmpty;
  std::string name = where_.empty() ? "the whole" : where_.substr(0, where_.size() - 1);
  faults_.add(std::move(name) + ": an object is expected, not " + std::string(value.type_name()));
}

const Json* ObjectReader::find(const char* key) {
  known_.insert(key);
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

const Json* ObjectReader::need(const char* key) {
  const Json* value = find(key);
  if (value == nullptr && object_ != &kEmpty) fault(key, "missing");
  return value;
}

void ObjectReader::text(const char* key, std::string& out) {
  const Json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_string()) return wrong(key, "a string", *value);
  out = value->get<std::string>();
}

void ObjectReader::need_text(const char* key, std::string& out) {
  if (need(key) != nullptr) text(key, out);
}

void ObjectReader::flag(const char* key, bool& out) {
  const Json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_boolean()) return wrong(key, "true or false", *value);
  out = value->get<bool>();
}

std::optional<std::uint64_t> ObjectReader::number(const char* key, std::uint64_t most) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  // A value that was built here may be signed, as one that was parsed never is.
  if (!value->is_number_integer() ||
      (!value->is_number_unsigned() && value->get<std::int64_t>() < 0)) {
    wrong(key, "a whole number from 0 up", *value);
    return std::nullopt;
  }
  const auto read = value->get<std::uint64_t>();
  if (read > most) {
    fault(key, std::to_string(read) + " is over " + std::to_string(most));
    return std::nullopt;
  }
  return read;
}

std::optional<std::int64_t> ObjectReader::integer(const char* key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number_integer() ||
      (value->is_number_unsigned() &&
       value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))) {
    wrong(key, "a whole number", *value);
    return std::nullopt;
  }
  return value->get<std::int64_t>();
}

std::optional<double> ObjectReader::decimal(const char* key) {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) {
    wrong(key, "a number", *value);
    return std::nullopt;
  }
  return value->get<double>();
}

void ObjectReader::texts(const char* key, std::vector<std::string>& out) {
  std::vector<std::string> read;
  bool given = false;
  each(key, [&](const Json& element, const std::string& where) {
    given = true;
    if (element.is_string()) {
      read.push_back(element.get<std::string>());
    } else {
      faults_.add(where + ": a string is expected, not " + std::string(element.type_name()));
    }
  });
  if (given) out = std::move(read);
}

void ObjectReader::wrong(const char* key, std::string_view expected, const Json& found) {
  fault(key, std::string(expected) + " is expected, not " +
                 (found.is_primitive() && !found.is_null() ? dump(found).substr(0, 40)
                                                           : std::string(found.type_name())));
}

void ObjectReader::fault(const char* key, std::string_view what) {
  faults_.add(where_ + key + ": " + std::string(what));
}

void ObjectReader::no_more() {
  for (const auto& item : object_->items()) {
    if (!known_.contains(item.key())) {
      faults_.add(where_ + "unknown key " + in_quotes(item.key()));
    }
  }
}

}  // namespace particle::fleet
