// SPDX-License-Identifier: Apache-2.0
#include "demo/pipeline/pipeline_demo.hpp"

#include <cmath>

#include "demo/draw.hpp"
#include "steps.hpp"
#include "text.hpp"

namespace particle::cli::demo {
namespace {

std::string ms(double time) {
  return format_ms(time) + " ms";
}

std::string each(double sum, std::uint64_t tasks) {
  return tasks == 0 ? "-" : format_ms(sum / static_cast<double>(tasks));
}

std::string share(double part, double all) {
  return all <= 0 ? "-" : std::to_string(std::lround(100 * part / all)) + "%";
}

StageFacts sum_of(const PipelineFacts& facts) {
  StageFacts sum{.name = "share of all"};
  for (const StageFacts& stage : facts.stages) {
    sum.tasks += stage.tasks;
    sum.startup_ms += stage.startup_ms;
    sum.transfer_ms += stage.transfer_ms;
    sum.processing_ms += stage.processing_ms;
  }
  return sum;
}

}  // namespace

std::string to_text(const PipelineFacts& facts, const Style& style) {
  const StageFacts sum = sum_of(facts);
  const double all = sum.startup_ms + sum.transfer_ms + sum.processing_ms;
  std::string text = style.bold("particle demo --pipeline") + ": " +
                     counted(facts.options.seconds, "second") +
                     " of video, turned gray by containers of two nodes\n\n";
  text +=
      "Every chunk and stage is a container with an address of its own, started when its input is\n"
      "there; each pulls its frames straight from the one before it. Milliseconds for one:\n\n";
  Table table({"STAGE", "CONTAINERS", "START-UP", "TRANSFER", "PROCESSING"});
  for (const StageFacts& stage : facts.stages) {
    table.add({stage.name, std::to_string(stage.tasks), each(stage.startup_ms, stage.tasks),
               each(stage.transfer_ms, stage.tasks), each(stage.processing_ms, stage.tasks)});
  }
  table.add({sum.name, std::to_string(sum.tasks), share(sum.startup_ms, all),
             share(sum.transfer_ms, all), share(sum.processing_ms, all)});
  text += table.to_string(style) + "\n";
  text += "Two pools and their peers took " + ms(facts.pools_ms) + ", the whole pipeline " +
          ms(facts.pipeline_ms) + ", its first frames " + ms(facts.first_output_ms) + ".\n";
  text += (facts.proven() ? style.good("proven: ") : style.bad("NOT proven: ")) +
          std::to_string(facts.frames_out) + " of " + std::to_string(facts.frames_in) +
          " frames came out\n";
  text += "Everything was removed. It took " + in_ms(facts.total) + " ms in all.\n";
  return text;
}

Json to_json(const PipelineFacts& facts) {
  Json stages = Json::array();
  for (const StageFacts& stage : facts.stages) {
    stages.push_back({{"stage", stage.name},
                      {"containers", stage.tasks},
                      {"startup_ms", stage.startup_ms},
                      {"transfer_ms", stage.transfer_ms},
                      {"processing_ms", stage.processing_ms}});
  }
  return {{"seconds", facts.options.seconds}, {"frames_in", facts.frames_in},
          {"frames_out", facts.frames_out},   {"pools_ms", facts.pools_ms},
          {"pipeline_ms", facts.pipeline_ms}, {"first_output_ms", facts.first_output_ms},
          {"stages", std::move(stages)},      {"proven", facts.proven()},
          {"total_ms", to_ms(facts.total)}};
}

}  // namespace particle::cli::demo
