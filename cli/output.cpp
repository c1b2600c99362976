// SPDX-License-Identifier: Apache-2.0
#include "output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "exit_codes.hpp"
#include "json.hpp"

namespace particle::cli {

Style Style::of_stdout(const Context& context) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool refused =
      context.no_color || context.json || (no_color != nullptr && *no_color != '\0');
  return Style(!refused && ::isatty(STDOUT_FILENO) == 1);
}

std::string Style::paint(std::string_view code, std::string_view text) const {
  if (!on_) {
    return std::string(text);
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

std::string Table::to_string(const Style& style) const {
  std::vector<std::size_t> widths(header_.size());
  const auto measure = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size() && i < widths.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  };
  measure(header_);
  std::for_each(rows_.begin(), rows_.end(), measure);
  const auto line = [&](const std::vector<std::string>& row) {
    std::string out;
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      out.append(widths[i] - row[i].size() + 2, ' ');
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
  };
  std::string out = style.bold(line(header_)) + "\n";
  for (const auto& row : rows_) {
    out += line(row) + "\n";
  }
  return out;
}

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_json(const nlohmann::json& value) {
  // Names come from the command line: bytes that are no UTF-8 must not throw here.
  print(value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

namespace {

std::string prefix_of(const Context& context) {
  std::string prefix = "particle: ";
  if (!context.verb.empty()) {
    prefix += context.verb;
    if (!context.subject.empty()) {
      prefix += " " + context.subject;
    }
    prefix += ": ";
  }
  return prefix;
}

}  // namespace

void print_warning(const Context& context, std::string_view text) {
  const std::string line = prefix_of(context) + "warning: " + std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int print_error(const Context& context, const Error& error) {
  const int code = exit_code_of(error.kind());
  if (context.json) {
    print_json({{"error", error_to_json(error, code)}});
    return code;
  }
  std::string text = prefix_of(context) + error.message() + "\n";
  for (const std::string& detail : error.details) {
    text += "  " + detail + "\n";
  }
  if (!error.hint.empty()) {
    text += "hint: " + error.hint + "\n";
  }
  std::fflush(stdout);
  std::fwrite(text.data(), 1, text.size(), stderr);
  return code;
}

Result<void> flush_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return {};
  }
  return fail(Error::from_errno(errno != 0 ? errno : EIO, "write the result to stdout"));
}

}  // namespace particle::cli
