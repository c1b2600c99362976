// SPDX-License-Identifier: Apache-2.0
/// Turns option values into the library's types and remembers everything that is wrong, so that one
/// error can name it all.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <particle/ip.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>

#include "options.hpp"

namespace particle::cli {

class Input {
 public:
  /// The value as `parse` reads it; `placeholder` after a failure was noted, so that the checks of
  /// the whole do not repeat it.
  template <class T, class Parse>
  T take(std::string_view option, std::string_view text, Parse parse, T placeholder) {
    Result<T> value = parse(text);
    if (value) {
      return *std::move(value);
    }
    invalid(option, text, value.error());
    return placeholder;
  }

  /// The same for an option that may be absent.
  template <class T, class Parse>
  std::optional<T> take(std::string_view option, const Value& value, Parse parse) {
    if (!value) {
      return std::nullopt;
    }
    Result<T> parsed = parse(value.text);
    if (parsed) {
      return *std::move(parsed);
    }
    invalid(option, value.text, parsed.error());
    return std::nullopt;
  }

  /// Notes an option or argument that must be given and was not. Returns whether it was given.
  bool require(std::string_view option, const Value& value);
  void missing(std::string_view option);
  void invalid(std::string_view option, std::string_view text, const Error& error);
  void invalid(std::string problem, std::string hint = {});
  /// What the library found wrong with the whole, one error per field.
  void add(const std::vector<Error>& errors);
  /// The library's rule for names (`what`: "pool name"), and for holders of leases, which may be longer.
  void check_name(std::string_view what, std::string_view name);
  void check_holder(std::string_view holder);

  /// Whether something was noted already: checks that need valid fields are skipped then.
  [[nodiscard]] bool failed() const noexcept { return !problems_.empty() || !missing_.empty(); }
  /// Everything noted, as one error.
  [[nodiscard]] Result<void> verdict() const;

 private:
  struct Problem {
    std::string what;  ///< "--vni 0"
    std::string hint;
  };
  std::vector<std::string> missing_;
  std::vector<Problem> problems_;
};

/// Parsers for Input::take. Errors: invalid_argument, with a hint that says what is expected.
Result<std::uint64_t> parse_count(std::string_view text);
/// Seconds with at most three digits after the point, up to a day.
Result<std::chrono::milliseconds> parse_seconds(std::string_view text);
Result<int> parse_process(std::string_view text);

/// One block per --prefix, each with the --range of its family.
std::vector<AddressBlock> take_blocks(Input& input, const std::vector<std::string>& prefixes,
                                      const std::vector<std::string>& ranges);

}  // namespace particle::cli
