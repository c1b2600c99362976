// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace particle::cli {
namespace {

std::vector<std::string_view> split_words(std::string_view line, bool keep_brackets) {
  std::vector<std::string_view> words;
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    const bool end = i == line.size();
    if (!end && keep_brackets) {
      depth += line[i] == '[' || line[i] == '(' ? 1 : 0;
      depth -= line[i] == ']' || line[i] == ')' ? 1 : 0;
    }
    if (end || (line[i] == ' ' && depth == 0)) {
      if (i > start) {
        words.push_back(line.substr(start, i - start));
      }
      start = i + 1;
    }
  }
  return words;
}

/// `--tenant T` is one word of a synopsis.
std::vector<std::string> synopsis_words(std::string_view line) {
  std::vector<std::string> words;
  for (const std::string_view word : split_words(line, true)) {
    const bool value = !words.empty() && words.back().starts_with("--") && words.back() != "--" &&
                       words.back().find(' ') == std::string::npos && !word.starts_with("-") &&
                       !word.starts_with("[");
    if (value) {
      words.back() += " " + std::string(word);
    } else {
      words.emplace_back(word);
    }
  }
  return words;
}

template <class Words>
void fill_line(std::string& out, const Words& words, std::size_t width) {
  std::size_t column = 0;
  for (const auto& word : words) {
    if (column != 0 && column + 1 + word.size() > width) {
      out += '\n';
      column = 0;
    }
    if (column != 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
}

template <class Split>
std::string wrap_lines(std::string_view text, std::size_t width, Split split) {
  std::string out;
  while (true) {
    const std::size_t end = text.find('\n');
    fill_line(out, split(text.substr(0, end)), width);
    if (end == std::string_view::npos) {
      return out;
    }
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

/// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string wrap(std::string_view text, std::size_t width) {
  return wrap_lines(text, width, [](std::string_view line) { return split_words(line, false); });
}

std::string wrap_synopsis(std::string_view text, std::size_t width) {
  return wrap_lines(text, width, synopsis_words);
}

std::string indent(std::string_view text, std::size_t columns) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) {
      out.append(columns, ' ');
      out += line;
    }
    out += '\n';
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::string indent_after_first(std::string_view text, std::size_t columns) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') {
      out.append(columns, ' ');
    }
  }
  return out;
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) {
      out += separator;
    }
    out += parts[i];
  }
  return out;
}

std::string join_words(const std::vector<std::string>& parts) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) {
      out += i + 1 == parts.size() ? " and " : ", ";
    }
    out += parts[i];
  }
  return out;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  std::string out = std::to_string(count) + " " + std::string(noun);
  if (count != 1) {
    out += 's';
  }
  return out;
}

std::string shown(std::string_view value) {
  constexpr std::size_t kLongest = 80;
  if (value.empty()) {
    return "''";
  }
  bool quote = false;
  std::string out;
  for (const char c : value.substr(0, kLongest)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    out += control ? '?' : c;
    quote = quote || control || c == ' ' || c == '\'' || c == '"' || c == '\\';
  }
  if (value.size() > kLongest) {
    out += "...";
  }
  return quote ? "'" + out + "'" : out;
}

std::string format_ms(double ms) {
  char buffer[32];
  int digits = ms < 1000 ? 1 : 0;
  if (ms < 10) digits = 3;
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, ms);
  return buffer;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 40;
  if (word.empty() || word.size() > kLongest) {
    return std::nullopt;
  }
  const std::size_t most = std::max<std::size_t>(2, word.size() / 3);
  std::optional<std::string> best;
  std::size_t best_distance = most + 1;
  for (const std::string& candidate : candidates) {
    const bool beginning = word.size() >= 3 && candidate.starts_with(word);
    const std::size_t distance = beginning ? 1 : edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace particle::cli
