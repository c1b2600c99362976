// SPDX-License-Identifier: Apache-2.0
#include "spec/positions.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;

/// Walks the text and tells how far the parser has come.
class Cursor {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    ++at_;
    *reached_ = at_;
    return *this;
  }
  Cursor operator++(int) {
    Cursor before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Cursor& a, const Cursor& b) { return a.at_ == b.at_; }
  friend bool operator!=(const Cursor& a, const Cursor& b) { return a.at_ != b.at_; }

 private:
  const char* at_;
  const char** reached_;
};

std::string escape(const std::string& key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

/// Follows the parser's steps.
class Follower final : public nlohmann::json_sax<Json> {
 public:
  Follower(std::string_view text, const char** reached) : text_(text), reached_(reached) {}

  Positions positions;
  std::string problem;
  std::uint64_t problem_line = 0;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(Json::number_integer_t) override { return value(); }
  bool number_unsigned(Json::number_unsigned_t) override { return value(); }
  bool number_float(Json::number_float_t, const Json::string_t&) override { return value(); }
  bool string(Json::string_t&) override { return value(); }
  bool binary(Json::binary_t&) override { return value(); }
  bool start_object(std::size_t) override { return open(false); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(true); }
  bool end_array() override { return close(); }

  bool key(Json::string_t& name) override {
    Level& level = levels_.back();
    level.key = escape(name);
    if (!level.keys.insert(level.key).second) positions.repeated.emplace_back(line(), name);
    positions.lines[pointer()] = line();
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& e) override {
    problem = e.what();
    problem_line = line();
    return false;
  }

 private:
  struct Level {
    bool array = false;
    std::uint64_t next = 0;
    std::string key{};
    std::set<std::string> keys{};
  };

  [[nodiscard]] std::uint64_t line() const {
    // The character that the parser looks at is one beyond what it has taken.
    const std::ptrdiff_t taken = std::max<std::ptrdiff_t>(*reached_ - text_.data() - 1, 0);
    const auto end = std::min(taken, static_cast<std::ptrdiff_t>(text_.size()));
    return 1 + static_cast<std::uint64_t>(std::count(text_.begin(), text_.begin() + end, '\n'));
  }

  [[nodiscard]] std::string pointer() const {
    std::string out;
    for (const Level& level : levels_) {
      out += "/" + (level.array ? std::to_string(level.next) : level.key);
    }
    return out;
  }

  void note() {
    if (levels_.empty() || levels_.back().array) positions.lines[pointer()] = line();
  }
  void next() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().next;
  }
  bool value() {
    note();
    next();
    return true;
  }
  bool open(bool array) {
    note();
    levels_.push_back({.array = array});
    return true;
  }
  bool close() {
    levels_.pop_back();
    next();
    return true;
  }

  std::string_view text_;
  const char** reached_;
  std::vector<Level> levels_;
};

}  // namespace

std::uint64_t Positions::line_of(std::string pointer) const {
  while (true) {
    if (const auto found = lines.find(pointer); found != lines.end()) return found->second;
    if (pointer.empty()) return 1;
    pointer.resize(pointer.rfind('/'));
  }
}

Result<Positions> find_positions(std::string_view text, const std::string& name) {
  const char* reached =
      text.data();  // NOLINT(bugprone-suspicious-stringview-data-usage): an iterator
  Follower follower(text, &reached);
  const Cursor begin(text.data(), &reached);
  const Cursor end(text.data() + text.size(), &reached);
  if (!Json::sax_parse(begin, end, &follower)) {
    std::string why = follower.problem;
    if (const auto at = why.rfind("; "); at != std::string::npos) why.erase(0, at + 2);
    return fail(
        Error::of(Errc::invalid_argument,
                  name + ":" + std::to_string(follower.problem_line) + ": not JSON: " + why));
  }
  return std::move(follower.positions);
}

}  // namespace particle::sprocket
