// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/client.hpp>

#include "client/remote_job.hpp"
#include "client/status_json.hpp"
#include "model/base64.hpp"
#include "model/event_json.hpp"
#include "model/names.hpp"
#include "wire/address.hpp"

namespace particle::fleet {

struct Client::State {
  std::shared_ptr<Connection> connection;
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::connect(const std::string& agent) {
  auto socket = connect_unix(agent);
  if (!socket) return fail(std::move(socket.error()));
  auto state = std::make_unique<State>();
  state->connection = std::make_shared<Connection>(make_plain_transport(std::move(*socket)));
  return Client(std::move(state));
}

Result<std::unique_ptr<RunningJob>> Client::start(const JobSpec& job, JobObserver& observer) {
  auto remote = RemoteJob::start(state_->connection, job, Scope::fleet, observer);
  if (!remote) return fail(std::move(remote.error()));
  return std::unique_ptr<RunningJob>(std::move(*remote));
}

Result<std::vector<NodeStatus>> Client::nodes(const std::string& pool) {
  auto answer = state_->connection->ask({{"do", "nodes"}, {"pool", pool}});
  if (!answer) return fail(std::move(answer.error()));
  return nodes_from_json(*answer);
}

Result<std::vector<JobStatus>> Client::jobs() {
  auto answer = state_->connection->ask({{"do", "jobs"}});
  if (!answer) return fail(std::move(answer.error()));
  return jobs_from_json(*answer);
}

Result<void> Client::kill(const std::string& job) {
  auto answer = state_->connection->ask({{"do", "kill"}, {"job", job}});
  if (!answer) return fail(std::move(answer.error()));
  return {};
}

Result<void> Client::logs(const std::string& job,
                          const std::function<void(std::uint64_t instance, Stream stream,
                                                   std::string_view bytes)>& take) {
  auto answer = state_->connection->ask({{"do", "logs"}, {"job", job}}, [&](const Json& part) {
    Faults faults;
    ObjectReader reader(part, "", faults);
    std::string name;
    std::string encoded;
    reader.text("stream", name);
    reader.text("base64", encoded);
    const auto instance = reader.number("instance");
    const auto bytes = decode_base64(encoded);
    const auto stream = find_stream(name);
    if (instance && bytes && stream) take(*instance, *stream, *bytes);
  });
  if (!answer) return fail(std::move(answer.error()));
  return {};
}

Result<std::vector<Event>> Client::events(const std::string& job) {
  std::vector<Event> events;
  std::optional<Error> wrong;
  auto answer = state_->connection->ask({{"do", "events"}, {"job", job}}, [&](const Json& part) {
    auto event = event_from_json(part);
    if (event) {
      events.push_back(std::move(*event));
    } else {
      wrong = event.error();
    }
  });
  if (!answer) return fail(std::move(answer.error()));
  if (wrong) return fail(*wrong);
  return events;
}

}  // namespace particle::fleet
