// SPDX-License-Identifier: Apache-2.0
/// The results of one run: what `particle bench` writes and the report and the comparison read.
/// docs/json-schema/bench.json describes the file.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/design.hpp"
#include "harness/stats.hpp"

namespace particle::bench {

inline constexpr std::string_view kRecordFormat = "particle-bench";
/// Goes up when a reader of the version before would misunderstand the file.
inline constexpr std::uint64_t kRecordVersion = 2;

/// One design at one number of endpoints.
struct Figure {
  std::string design;
  std::uint64_t endpoints = 0;
  Series setup_ms;
  Series release_ms;
  Series gone_ms;
  std::array<Series, kSteps> steps_ms;  ///< empty: the design has no such step
  Series kernel_kib_each;               ///< per endpoint
  Series process_kib_each;
};

struct DesignNote {
  std::string name;
  std::string title;
  std::string what;
  std::string paper;
  std::uint64_t most = 0;
  std::string limit;
  Kind kind = Kind::endpoints;
};

struct Skipped {
  std::string design;
  std::uint64_t endpoints = 0;  ///< 0: all of them
  std::string why;
};

struct Record {
  std::string program;  ///< "particle 0.1.0"
  bool complete = false;
  Json machine = Json::object();
  Json settings = Json::object();
  std::vector<DesignNote> designs;
  std::vector<Figure> figures;
  std::vector<Skipped> skipped;
  std::vector<std::string> notes;
  Json traces = Json::array();  ///< what `particle trace` wrote, where the run was traced
  /// What the programs of bench/ wrote (bench/run), where they belong to the run.
  Json programs = Json::array();

  /// Null when it was not measured.
  [[nodiscard]] const Figure* find(std::string_view design, std::uint64_t endpoints) const;
  /// The designs of one kind, in the order of the report.
  [[nodiscard]] std::vector<const DesignNote*> designs_of(Kind kind) const;
  /// Every number of endpoints that some design of this kind was measured with, ascending.
  [[nodiscard]] std::vector<std::uint64_t> sizes(Kind kind) const;
};

void add(Figure& figure, const Sample& sample);

Json to_json(const Record& record);
/// Errors: invalid_argument when `text` is no such file or of another version; `name` is for the
/// error.
Result<Record> parse_record(std::string_view text, const std::string& name);
/// What bench/run wrote. Errors: invalid_argument when `text` is no such file.
Result<Json> parse_programs(std::string_view text, const std::string& name);
/// A whole file. Errors: not_found, permission_denied, io.
Result<std::string> read_text(const std::string& path);
/// Errors: those of read_text and parse_record.
Result<Record> read_record(const std::string& path);

}  // namespace particle::bench
