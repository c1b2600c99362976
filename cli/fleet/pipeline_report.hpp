// SPDX-License-Identifier: Apache-2.0
/// Pipelines in words, tables and JSON.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include <particle_sprocket/pipeline.hpp>

#include "output.hpp"

namespace particle::cli {

nlohmann::json spec_to_json(const sprocket::Pipespec& spec);
std::string spec_to_text(const sprocket::Pipespec& spec, const Style& style);
/// Where the time went, as table 3.5 has it: shares of start-up, transfer and processing.
nlohmann::json summary_to_json(const sprocket::Pipespec& spec,
                               const sprocket::PipelineSummary& summary);
std::string summary_to_text(const sprocket::Pipespec& spec,
                            const sprocket::PipelineSummary& summary, const Style& style);

}  // namespace particle::cli
