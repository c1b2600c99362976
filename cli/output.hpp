// SPDX-License-Identifier: Apache-2.0
/// What reaches the terminal: results on stdout, everything else on stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <particle/error.hpp>
#include <particle/result.hpp>

#include "context.hpp"

namespace particle::cli {

/// Colours: only on a terminal, and not with --no-color or NO_COLOR.
class Style {
 public:
  explicit Style(bool on) noexcept : on_(on) {}
  static Style of_stdout(const Context& context);
  [[nodiscard]] bool on() const noexcept { return on_; }
  [[nodiscard]] std::string bold(std::string_view text) const { return paint("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return paint("2", text); }
  [[nodiscard]] std::string good(std::string_view text) const { return paint("32", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return paint("31", text); }
  [[nodiscard]] std::string warn(std::string_view text) const { return paint("33", text); }

 private:
  [[nodiscard]] std::string paint(std::string_view code, std::string_view text) const;
  bool on_;
};

/// Columns as wide as their widest cell. Cells may not contain colours.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  [[nodiscard]] std::string to_string(const Style& style) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

void print(std::string_view text);
void print_json(const nlohmann::json& value);
/// `particle: create-pool acme: warning: ...` on stderr.
void print_warning(const Context& context, std::string_view text);
/// One message, its details and its hint on stderr, or one JSON object on stdout. Returns the exit code.
int print_error(const Context& context, const Error& error);
/// Whether everything printed reached its destination. Errors: io, exhausted.
Result<void> flush_output();

}  // namespace particle::cli
