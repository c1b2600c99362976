// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include <particle_fleet/dag.hpp>

#include "model/check.hpp"
#include "model/dag_sizes.hpp"

namespace particle::fleet {
namespace {

std::map<std::string, std::size_t> index_of(const Dag& dag) {
  std::map<std::string, std::size_t> out;
  for (std::size_t i = 0; i < dag.stages.size(); ++i) out.emplace(dag.stages[i].name, i);
  return out;
}

/// Stages in an order in which each comes after those before it; the rest is in cycles.
std::vector<std::size_t> in_order(const Dag& dag) {
  const auto index = index_of(dag);
  std::vector<std::size_t> order;
  std::vector<bool> placed(dag.stages.size());
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < dag.stages.size(); ++i) {
      const auto& after = dag.stages[i].after;
      const bool ready = std::all_of(after.begin(), after.end(), [&](const std::string& name) {
        const auto found = index.find(name);
        return found == index.end() || placed[found->second];
      });
      if (placed[i] || !ready) continue;
      placed[i] = true;
      order.push_back(i);
      more = true;
    }
  }
  return order;
}

void check_names(const Dag& dag, Faults& faults) {
  const auto index = index_of(dag);
  if (dag.stages.empty()) faults.add("stages: none");
  for (std::size_t i = 0; i < dag.stages.size(); ++i) {
    const Stage& stage = dag.stages[i];
    const std::string where = "stage " + in_quotes(stage.name);
    if (index.at(stage.name) != i) faults.add(where + ": given twice");
    for (const std::string& name : stage.after) {
      if (!index.contains(name))
        faults.add(where + ": after " + in_quotes(name) + ": no such stage");
      if (std::count(stage.after.begin(), stage.after.end(), name) > 1) {
        faults.add(where + ": after " + in_quotes(name) + ": twice");
      }
    }
    if (!stage.after.empty() && !stage.inputs.empty()) {
      faults.add(where + ": inputs: those of a stage that comes after others are their outputs");
    }
    const bool counted =
        stage.after.empty() ? stage.inputs.empty() : stage.delivery == Delivery::all;
    if (stage.count != 0 && !counted) faults.add(where + ": count: it follows from its inputs");
  }
}

void check_cycles(const Dag& dag, Faults& faults) {
  const auto order = in_order(dag);
  std::string names;
  for (std::size_t i = 0; i < dag.stages.size(); ++i) {
    if (std::find(order.begin(), order.end(), i) == order.end()) {
      names += (names.empty() ? "" : ", ") + dag.stages[i].name;
    }
  }
  if (!names.empty()) faults.add("stages " + names + ": each waits for the others");
}

}  // namespace

JobSpec job_of(const Dag& dag, const Stage& stage) {
  JobSpec job;
  job.id = dag.id + "." + stage.name;
  job.pool = dag.pool;
  job.function = stage.function;
  job.concurrency = dag.concurrency;
  job.placement = dag.placement;
  return job;
}

std::vector<std::uint64_t> sizes_of(const Dag& dag, Faults& faults) {
  const auto index = index_of(dag);
  std::vector<std::uint64_t> sizes(dag.stages.size());
  for (const std::size_t i : in_order(dag)) {
    const Stage& stage = dag.stages[i];
    const bool joined = !stage.after.empty() && stage.delivery == Delivery::each;
    sizes[i] = stage.inputs.empty() ? std::max<std::uint64_t>(stage.count, 1) : stage.inputs.size();
    if (!joined) continue;
    sizes[i] = 0;
    for (const std::string& name : stage.after) {
      const auto found = index.find(name);
      if (found == index.end()) continue;
      const std::uint64_t size = sizes[found->second];
      if (sizes[i] != 0 && sizes[i] != size) {
        faults.add("stage " + in_quotes(stage.name) + ": the stages before it have " +
                   std::to_string(sizes[i]) + " and " + std::to_string(size) +
                   " instances, which `each` cannot join");
      }
      sizes[i] = std::max(sizes[i], size);
    }
  }
  return sizes;
}

Result<void> check_dag(const Dag& dag) {
  Faults faults;
  check_names(dag, faults);
  check_cycles(dag, faults);
  static_cast<void>(sizes_of(dag, faults));
  for (const Stage& stage : dag.stages) {
    if (auto ok = check_job(job_of(dag, stage)); !ok) {
      faults.add("stage " + in_quotes(stage.name) + ": ", ok.error());
    }
  }
  return faults.verdict("job " + in_quotes(dag.id));
}

DagPlan::DagPlan(const Dag& dag) : waits_(dag.stages.size()) {
  Faults none;
  const auto index = index_of(dag);
  const auto sizes = sizes_of(dag, none);
  for (std::size_t i = 0; i < dag.stages.size(); ++i) {
    const Stage& stage = dag.stages[i];
    names_.push_back(stage.name);
    results_.emplace_back(sizes[i]);
    ended_.emplace_back(sizes[i]);
    started_.emplace_back(sizes[i]);
    open_ += sizes[i];
    waits_[i].delivery = stage.delivery;
    std::uint64_t all = 0;
    for (const std::string& name : stage.after) {
      const std::size_t before = index.at(name);
      waits_[i].after.push_back(before);
      waits_[before].before.push_back(i);
      all += sizes[before];
    }
    const std::uint64_t each = stage.after.size();
    waits_[i].missing.assign(sizes[i], stage.delivery == Delivery::all ? all : each);
    for (std::uint64_t k = 0; stage.after.empty() && k < sizes[i]; ++k) {
      InstanceSpec instance;
      instance.index = k;
      if (!stage.inputs.empty()) instance.input = stage.inputs[k];
      started_[i][k] = true;
      ready_.push_back({i, std::move(instance)});
    }
  }
}

std::vector<DagPlan::Ready> DagPlan::take_ready() {
  std::vector<Ready> out(std::make_move_iterator(ready_.begin()),
                         std::make_move_iterator(ready_.end()));
  ready_.clear();
  return out;
}

std::string DagPlan::input_of(std::size_t stage, std::uint64_t instance) const {
  std::string input;
  for (const std::size_t before : waits_[stage].after) {
    if (waits_[stage].delivery == Delivery::each) {
      input += results_[before][instance].output;
      continue;
    }
    for (const InstanceResult& result : results_[before]) input += result.output;
  }
  return input;
}

void DagPlan::settle(std::size_t stage, std::uint64_t instance, const std::string& failed) {
  if (started_[stage][instance] || ended_[stage][instance]) return;
  if (!failed.empty()) {
    InstanceResult result;
    result.detail = "not started: " + failed;
    return end(stage, instance, std::move(result));
  }
  if (--waits_[stage].missing[instance] > 0) return;
  InstanceSpec spec;
  spec.index = instance;
  spec.input = input_of(stage, instance);
  if (spec.input.size() > kMostOutput) {
    return settle(stage, instance, "its inputs are over 8 MiB together");
  }
  started_[stage][instance] = true;
  ready_.push_back({stage, std::move(spec)});
}

void DagPlan::end(std::size_t stage, std::uint64_t instance, InstanceResult result) {
  if (ended_[stage][instance]) return;
  ended_[stage][instance] = true;
  --open_;
  std::string failed;
  if (result.ended != Ended::ok) {
    failed = "instance " + std::to_string(instance) + " of stage " + names_[stage] + " was " +
             std::string(to_string(result.ended));
  }
  results_[stage][instance] = std::move(result);
  for (const std::size_t next : waits_[stage].before) {
    if (waits_[next].delivery == Delivery::each) {
      settle(next, instance, failed);
      continue;
    }
    for (std::uint64_t k = 0; k < results_[next].size(); ++k) settle(next, k, failed);
  }
}

}  // namespace particle::fleet
