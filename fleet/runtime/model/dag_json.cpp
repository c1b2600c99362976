// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/dag.hpp>

#include "model/job_json.hpp"

namespace particle::fleet {
namespace {

Stage read_stage(const Json& value, const std::string& where, Faults& faults) {
  Stage stage;
  ObjectReader reader(value, where + ".", faults);
  reader.need_text("name", stage.name);
  if (const Json* function = reader.need("function")) {
    stage.function = read_function(*function, reader.path("function."), faults);
  }
  reader.texts("after", stage.after);
  reader.texts("inputs", stage.inputs);
  constexpr std::uint64_t kMostInstances = 1'000'000;
  stage.count = reader.number("count", kMostInstances).value_or(0);
  std::string delivery;
  reader.text("delivery", delivery);
  if (delivery == to_string(Delivery::all)) {
    stage.delivery = Delivery::all;
  } else if (!delivery.empty() && delivery != to_string(Delivery::each)) {
    reader.fault("delivery", in_quotes(delivery) + " is neither each nor all");
  }
  reader.no_more();
  return stage;
}

}  // namespace

std::string_view to_string(Delivery delivery) noexcept {
  return delivery == Delivery::each ? "each" : "all";
}

Result<Dag> parse_dag(std::string_view json) {
  auto value = parse_json(json, "job");
  if (!value) return fail(std::move(value.error()));
  Faults faults;
  Dag dag;
  ObjectReader reader(*value, "", faults);
  reader.need_text("id", dag.id);
  reader.need_text("pool", dag.pool);
  dag.concurrency = reader.number("concurrency").value_or(0);
  std::string placement;
  reader.text("placement", placement);
  if (!placement.empty()) {
    const auto parsed = parse_placement(placement);
    if (parsed) dag.placement = *parsed;
    if (!parsed) reader.fault("placement", parsed.error().hint);
  }
  reader.need("stages");
  reader.each("stages", [&](const Json& stage, const std::string& where) {
    dag.stages.push_back(read_stage(stage, where, faults));
  });
  reader.no_more();
  // Faults of the form first: what they leave out would be a fault of the content, too.
  if (auto ok = faults.verdict("job"); !ok) return fail(std::move(ok.error()));
  if (auto ok = check_dag(dag); !ok) return fail(std::move(ok.error()));
  return dag;
}

}  // namespace particle::fleet
