// SPDX-License-Identifier: Apache-2.0
// `fleet ps`, `fleet logs`, `fleet kill` and `fleet nodes`.
#include <cstdio>

#include <nlohmann/json.hpp>

#include <particle_fleet/client.hpp>

#include "exit_codes.hpp"
#include "fleet/agent_sockets.hpp"
#include "fleet/run_fleet.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

using fleet::Client;
using Json = nlohmann::json;

std::string age_of(std::chrono::system_clock::time_point since) {
  using namespace std::chrono;
  const auto seconds = duration_cast<std::chrono::seconds>(system_clock::now() - since).count();
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 7200) return std::to_string(seconds / 60) + " min";
  return std::to_string(seconds / 3600) + " h";
}

Json job_to_json(const fleet::JobStatus& job) {
  using namespace std::chrono;
  return {{"id", job.id},
          {"pool", job.pool},
          {"since_us", duration_cast<microseconds>(job.since.time_since_epoch()).count()},
          {"queued", job.queued},
          {"running", job.running},
          {"done", job.done},
          {"failed", job.failed},
          {"finished", job.finished}};
}

Result<int> list_jobs(const Context& context, Client& client) {
  const auto jobs = client.jobs();
  if (!jobs) return fail(jobs.error());
  if (context.json) {
    Json list = Json::array();
    for (const auto& job : *jobs) list.push_back(job_to_json(job));
    print_json(list);
    return kExitOk;
  }
  Table table({"JOB", "POOL", "AGE", "QUEUED", "RUNNING", "DONE", "FAILED", "STATE"});
  for (const auto& job : *jobs) {
    table.add({job.id, job.pool, age_of(job.since), std::to_string(job.queued),
               std::to_string(job.running), std::to_string(job.done), std::to_string(job.failed),
               job.finished ? "ended" : "runs"});
  }
  print(table.empty() ? "no jobs\n" : table.to_string(Style::of_stdout(context)));
  return kExitOk;
}

Json node_to_json(const fleet::NodeStatus& node) {
  return {{"name", node.name},
          {"address", node.address},
          {"alive", node.alive},
          {"instances", node.instances},
          {"free_endpoints", node.free_endpoints},
          {"problem", node.problem}};
}

Result<int> list_nodes(const Context& context, Client& client, const std::string& pool) {
  const auto nodes = client.nodes(pool);
  if (!nodes) return fail(nodes.error());
  if (context.json) {
    Json list = Json::array();
    for (const auto& node : *nodes) list.push_back(node_to_json(node));
    print_json(list);
    return kExitOk;
  }
  Table table({"NODE", "AGENT", "STATE", "INSTANCES", "FREE", "PROBLEM"});
  for (const auto& node : *nodes) {
    table.add({node.name, node.address.empty() ? "(this one)" : node.address,
               node.alive ? "alive" : "lost", std::to_string(node.instances),
               pool.empty() ? "-" : std::to_string(node.free_endpoints), node.problem});
  }
  print(table.to_string(Style::of_stdout(context)));
  return kExitOk;
}

Result<int> print_events(Client& client, const FleetAskRequest& request) {
  const auto events = client.events(request.subject);
  if (!events) return fail(events.error());
  for (const fleet::Event& event : *events) {
    if (!request.instance || *request.instance == event.instance) {
      print(fleet::to_json_line(event) + "\n");
    }
  }
  return kExitOk;
}

Result<int> print_logs(const Context& context, Client& client, const FleetAskRequest& request) {
  if (request.events) return print_events(client, request);
  Json list = Json::array();
  const auto read = client.logs(
      request.subject, [&](std::uint64_t instance, fleet::Stream stream, std::string_view bytes) {
        if (request.instance && *request.instance != instance) return;
        const bool output = stream == fleet::Stream::output;
        if (context.json) {
          list.push_back({{"instance", instance},
                          {"stream", output ? "output" : "error"},
                          {"text", std::string(bytes)}});
        } else {
          std::fwrite(bytes.data(), 1, bytes.size(), output ? stdout : stderr);
        }
      });
  if (!read) return fail(read.error());
  if (context.json) print(list.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  return kExitOk;
}

}  // namespace

Result<int> ask_fleet(Context& context, const FleetAskRequest& request) {
  const auto socket = agent_socket(context, request.agent);
  if (!socket) return fail(socket.error());
  auto client = Client::connect(*socket);
  if (!client) return fail(std::move(client.error()));
  switch (request.what) {
    case FleetQuestion::jobs:
      return list_jobs(context, *client);
    case FleetQuestion::nodes:
      return list_nodes(context, *client, request.subject);
    case FleetQuestion::logs:
      return print_logs(context, *client, request);
    case FleetQuestion::kill:
      break;
  }
  if (auto ok = client->kill(request.subject); !ok) return fail(std::move(ok.error()));
  if (context.json) print_json({{"killed", request.subject}});
  return kExitOk;
}

}  // namespace particle::cli
