// SPDX-License-Identifier: Apache-2.0
/// What the demo found, for people and for programs. Pure.
#pragma once

#include <string>

#include "demo/draw.hpp"
#include "demo/facts.hpp"
#include "json.hpp"
#include "output.hpp"

namespace particle::cli::demo {

/// `program` is the path to show in commands.
std::string to_text(const Facts& facts, const Style& style, const Pen& pen,
                    const std::string& program);
Json to_json(const Facts& facts, const std::string& program);

/// How to look at a kept demo, one command per line, and what removes it.
std::vector<std::string> look_around(const Facts& facts, const std::string& program);
std::string removal_command(const Facts& facts, const std::string& program);

/// The stages of figure 3.1 in order, as rows for tables; an empty stage name marks S3 and S4.
struct StageRow {
  std::string label;
  std::string what;
  bool needed = true;
  Stage stage = Stage::record;
};
std::vector<StageRow> stage_rows();
std::chrono::nanoseconds time_of(const Outcome& outcome, Stage stage);

}  // namespace particle::cli::demo
