// SPDX-License-Identifier: Apache-2.0
#include "client/status_json.hpp"

namespace particle::fleet {
namespace {

using std::chrono::microseconds;

NodeStatus read_node(const Json& value, const std::string& where, Faults& faults) {
  NodeStatus node;
  ObjectReader reader(value, where + ".", faults);
  reader.need_text("name", node.name);
  reader.text("address", node.address);
  reader.flag("alive", node.alive);
  node.instances = reader.number("instances").value_or(0);
  node.free_endpoints = reader.number("free_endpoints").value_or(0);
  reader.text("problem", node.problem);
  return node;
}

JobStatus read_status(const Json& value, const std::string& where, Faults& faults) {
  JobStatus job;
  ObjectReader reader(value, where + ".", faults);
  reader.need_text("id", job.id);
  reader.text("pool", job.pool);
  constexpr std::uint64_t kFarthest = INT64_MAX / 1000;
  job.since = std::chrono::system_clock::time_point(
      microseconds(static_cast<std::int64_t>(reader.number("since_us", kFarthest).value_or(0))));
  job.queued = reader.number("queued").value_or(0);
  job.running = reader.number("running").value_or(0);
  job.done = reader.number("done").value_or(0);
  job.failed = reader.number("failed").value_or(0);
  reader.flag("finished", job.finished);
  return job;
}

}  // namespace

Json node_to_json(const NodeStatus& node) {
  return {{"name", node.name},
          {"address", node.address},
          {"alive", node.alive},
          {"instances", node.instances},
          {"free_endpoints", node.free_endpoints},
          {"problem", node.problem}};
}

Json nodes_to_json(const std::vector<NodeStatus>& nodes) {
  Json list = Json::array();
  for (const NodeStatus& node : nodes) list.push_back(node_to_json(node));
  return {{"nodes", std::move(list)}};
}

Result<std::vector<NodeStatus>> nodes_from_json(const Json& value) {
  Faults faults;
  std::vector<NodeStatus> nodes;
  ObjectReader reader(value, "", faults);
  reader.each("nodes", [&](const Json& node, const std::string& where) {
    nodes.push_back(read_node(node, where, faults));
  });
  if (auto ok = faults.verdict("the agent's answer"); !ok) return fail(std::move(ok.error()));
  return nodes;
}

Json jobs_to_json(const std::vector<JobStatus>& jobs) {
  Json list = Json::array();
  for (const JobStatus& job : jobs) {
    list.push_back(
        {{"id", job.id},
         {"pool", job.pool},
         {"since_us",
          std::chrono::duration_cast<microseconds>(job.since.time_since_epoch()).count()},
         {"queued", job.queued},
         {"running", job.running},
         {"done", job.done},
         {"failed", job.failed},
         {"finished", job.finished}});
  }
  return {{"jobs", std::move(list)}};
}

Result<std::vector<JobStatus>> jobs_from_json(const Json& value) {
  Faults faults;
  std::vector<JobStatus> jobs;
  ObjectReader reader(value, "", faults);
  reader.each("jobs", [&](const Json& job, const std::string& where) {
    jobs.push_back(read_status(job, where, faults));
  });
  if (auto ok = faults.verdict("the agent's answer"); !ok) return fail(std::move(ok.error()));
  return jobs;
}

}  // namespace particle::fleet
