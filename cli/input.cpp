// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include <algorithm>
#include <limits>

#include "text.hpp"

namespace particle::cli {
namespace {

Error expected(std::string hint) {
  return Error::of(Errc::invalid_argument, {}, std::move(hint));
}

}  // namespace

bool Input::require(std::string_view option, const Value& value) {
  if (!value) {
    missing(option);
  }
  return value.given;
}

void Input::missing(std::string_view option) {
  missing_.emplace_back(option);
}

void Input::invalid(std::string_view option, std::string_view text, const Error& error) {
  // Without a hint the operation says what is wrong with the value.
  const std::string why = error.hint.empty() ? error.operation : error.hint;
  problems_.push_back({std::string(option) + " " + shown(text), why});
}

void Input::invalid(std::string problem, std::string hint) {
  problems_.push_back({std::move(problem), std::move(hint)});
}

void Input::add(const std::vector<Error>& errors) {
  for (const Error& error : errors) {
    problems_.push_back({error.operation, error.hint});
  }
}

void Input::check_name(std::string_view what, std::string_view name) {
  if (auto ok = particle::check_name(what, name); !ok) {
    add({ok.error()});
  }
}

void Input::check_holder(std::string_view holder) {
  constexpr std::size_t kLongest = 255;
  if (auto ok = particle::check_name("holder", holder, kLongest); !ok) {
    add({ok.error()});
  }
}

Result<void> Input::verdict() const {
  if (!failed()) {
    return {};
  }
  const bool absent = !missing_.empty();
  const std::string absence =
      join_words(missing_) + (missing_.size() == 1 ? " is" : " are") + " missing";
  const std::size_t count = problems_.size() + (absent ? 1 : 0);
  if (count == 1) {
    return absent ? fail(Error::of(Errc::invalid_argument, absence))
                  : fail(Error::of(Errc::invalid_argument, problems_.front().what,
                                   problems_.front().hint));
  }
  Error error = Error::of(Errc::invalid_argument, counted(count, "problem") + " with the arguments",
                          "nothing was changed; correct them all and try again");
  if (absent) {
    error.details.push_back(absence);
  }
  for (const Problem& problem : problems_) {
    error.details.push_back(problem.what + (problem.hint.empty() ? "" : ": " + problem.hint));
  }
  return fail(std::move(error));
}

Result<std::uint64_t> parse_count(std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value == 0) {
    return fail(expected("a whole number from 1 up"));
  }
  return *value;
}

Result<std::chrono::milliseconds> parse_seconds(std::string_view text) {
  constexpr std::uint64_t kMostSeconds = 86400;
  constexpr std::size_t kDigits = 3;
  const std::size_t point = text.find('.');
  const auto whole = parse_number(text.substr(0, point));
  std::uint64_t thousandths = 0;
  bool valid = whole && *whole <= kMostSeconds;
  if (point != std::string_view::npos) {
    std::string fraction(text.substr(point + 1));
    valid = valid && !fraction.empty() && fraction.size() <= kDigits;
    fraction.resize(kDigits, '0');
    const auto digits = parse_number(fraction);
    valid = valid && digits.has_value();
    thousandths = digits.value_or(0);
  }
  if (!valid) {
    return fail(expected("seconds from 0 to 86400, with at most three digits after the point"));
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(*whole * 1000 + thousandths));
}

Result<int> parse_process(std::string_view text) {
  const auto value = parse_number(text);
  if (!value || *value == 0 ||
      *value > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    return fail(expected("a process id is a number from 1 up"));
  }
  return static_cast<int>(*value);
}

std::vector<AddressBlock> take_blocks(Input& input, const std::vector<std::string>& prefixes,
                                      const std::vector<std::string>& ranges) {
  std::vector<AddressBlock> blocks;
  bool all_valid = true;
  for (const std::string& text : prefixes) {
    const Result<IpPrefix> prefix = IpPrefix::parse(text);
    if (prefix) {
      blocks.push_back({*prefix, std::nullopt});
    } else {
      input.invalid("--prefix", text, prefix.error());
      all_valid = false;
    }
  }
  for (const std::string& text : ranges) {
    const Result<IpRange> range = IpRange::parse(text);
    if (!range) {
      input.invalid("--range", text, range.error());
      continue;
    }
    const auto block =
        std::find_if(blocks.begin(), blocks.end(), [&](const AddressBlock& candidate) {
          return candidate.prefix.family() == range->family();
        });
    if (block == blocks.end()) {
      if (all_valid) {
        const std::string family = range->family() == Family::v4 ? "an IPv4" : "an IPv6";
        input.invalid("--range " + shown(text),
                      "it needs a --prefix of its family: " + family + " one");
      }
    } else if (block->range) {
      input.invalid("--range " + shown(text),
                    "one range per family; " + block->range->to_string() + " was given before");
    } else {
      block->range = *range;
    }
  }
  return blocks;
}

}  // namespace particle::cli
