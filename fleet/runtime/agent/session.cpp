// SPDX-License-Identifier: Apache-2.0
#include "agent/session.hpp"

#include "agent/coordinator.hpp"
#include "agent/session_job.hpp"
#include "client/remote_job.hpp"
#include "client/status_json.hpp"
#include "model/base64.hpp"
#include "model/event_json.hpp"
#include "model/job_json.hpp"
#include "model/names.hpp"
#include "wire/error_json.hpp"

namespace particle::fleet {
namespace {

const Json kDone = Json::object();

Result<Json> done(Result<void> result) {
  if (!result) return fail(std::move(result.error()));
  return kDone;
}

Result<Json> wrong(const Faults& faults) {
  return fail(faults.verdict("request").error());
}

std::string text_of(ObjectReader& request, const char* key) {
  std::string text;
  request.need_text(key, text);
  return text;
}

}  // namespace

Session::Session(AgentCore& core, std::unique_ptr<Transport> transport, std::string agent)
    : core_(core),
      agent_(std::move(agent)),
      channel_(std::move(transport)),
      thread_([this] { run(); }) {}

Session::~Session() {
  channel_.stop();
  thread_.join();
}

void Session::run() {
  auto ended = channel_.read_lines([this](std::string_view line) {
    if (!take_line(line)) {
      channel_.drain();
      channel_.stop();
    }
  });
  if (!ended && ended.error().kind() == Errc::protocol) {
    say_closed(ended.error());
    static_cast<void>(channel_.write(dump({{"error", error_to_json(ended.error())}})));
  }
  // Who has closed one direction still gets the answers to what was asked before.
  channel_.drain();
  channel_.stop();
  jobs_.clear();
  over_ = true;
}

void Session::say_closed(const Error& why) {
  const std::string with = agent_.empty() ? "a client of this node" : agent_;
  core_.log(LogLevel::warning, "the connection of " + with + " was closed: " + why.message());
}

bool Session::take_line(std::string_view line) {
  auto request = parse_json(line, "request");
  std::optional<Error> bad;
  std::uint64_t id = 0;
  if (!request) {
    bad = request.error();
  } else if (const auto found = request->is_object() ? request->find("id") : request->end();
             request->is_object() && found != request->end() && found->is_number_unsigned()) {
    id = found->get<std::uint64_t>();
  } else {
    bad = Error::of(Errc::protocol, "request: an object with a number `id` is expected");
  }
  if (bad) {
    // Who does not speak the protocol is told so once.
    say_closed(*bad);
    static_cast<void>(channel_.write(dump({{"error", error_to_json(*bad)}})));
    return false;
  }
  auto result = answer(*request, id);
  Json out = {{"id", id}};
  if (result) {
    out["ok"] = std::move(*result);
  } else {
    out["error"] = error_to_json(result.error());
  }
  return channel_.write(dump(out)).has_value();
}

const std::map<std::string_view, Session::Handler>& Session::handlers() {
  static const std::map<std::string_view, Handler> table = {
      {"start", &Session::start},   {"add", &Session::add},
      {"send", &Session::send},     {"close_input", &Session::close_input},
      {"signal", &Session::signal}, {"finish", &Session::finish},
      {"kill", &Session::kill},     {"forget", &Session::forget},
      {"nodes", &Session::nodes},   {"status", &Session::status},
      {"jobs", &Session::jobs},     {"logs", &Session::logs},
      {"events", &Session::events},
  };
  return table;
}

Result<Json> Session::answer(const Json& request, std::uint64_t id) {
  Faults faults;
  ObjectReader reader(request, "", faults);
  static_cast<void>(reader.find("id"));
  const std::string what = text_of(reader, "do");
  const auto handler = handlers().find(what);
  if (!faults.none()) return wrong(faults);
  if (handler == handlers().end()) {
    return fail(Error::of(Errc::invalid_argument, "request " + in_quotes(what) + " is not known",
                          "docs/fleet.md lists the requests"));
  }
  return (this->*handler->second)(reader, id);
}

void Session::more(std::uint64_t id, Json part) {
  static_cast<void>(channel_.write(dump({{"id", id}, {"more", std::move(part)}})));
}

Result<Session::Job*> Session::find(ObjectReader& request) {
  const std::string id = text_of(request, "job");
  const auto found = jobs_.find(id);
  if (found != jobs_.end()) return found->second.get();
  if (!request.faults().none()) return fail(request.faults().verdict("request").error());
  return fail(Error::of(Errc::not_found, "job " + id + " of this connection"));
}

Result<std::unique_ptr<RunningJob>> Session::start_on_fleet(const JobSpec& job,
                                                            JobObserver& observer) {
  auto members = core_.ask_all(job.pool);
  if (!members) return fail(std::move(members.error()));
  std::vector<Participant> participants;
  std::vector<std::string> left_out;
  for (const AgentCore::Member& member : *members) {
    if (member.status.alive && member.status.problem.empty()) {
      participants.push_back(
          {member.status.name, member.status.free_endpoints, core_.starter_of(member)});
    } else {
      left_out.push_back(member.status.name + ": " + member.status.problem);
    }
  }
  if (participants.empty()) {
    Error error = Error::of(Errc::not_found, "no node of the fleet has pool " + job.pool,
                            "`particle fleet nodes --pool " + job.pool + "` says why");
    error.details = left_out;
    return fail(std::move(error));
  }
  auto coordinator =
      Coordinator::start(job, core_.name(), std::move(participants), observer, left_out);
  for (const std::string& why : left_out) {
    core_.log(LogLevel::warning, "job " + job.id + " goes without " + why);
  }
  if (!coordinator) return fail(std::move(coordinator.error()));
  return std::unique_ptr<RunningJob>(std::move(*coordinator));
}

Result<Json> Session::start(ObjectReader& request, std::uint64_t /*id*/) {
  const Json* spec = request.need("spec");
  const std::string scope = text_of(request, "scope");
  JobSpec job;
  if (spec != nullptr) job = read_job(*spec, "spec.", request.faults());
  if (!scope.empty() && scope != to_string(Scope::fleet) && scope != to_string(Scope::node)) {
    request.fault("scope", "fleet or node is expected");
  }
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  if (auto ok = check_job(job); !ok) return fail(std::move(ok.error()));
  if (jobs_.contains(job.id)) {
    return fail(Error::of(Errc::already_exists, "job " + job.id + " of this connection"));
  }
  const bool here = scope == to_string(Scope::node);
  auto made = std::make_unique<Job>(channel_, job.id);
  if (!here) {
    if (auto ok = made->enter(core_.jobs(), job); !ok) return fail(std::move(ok.error()));
  }
  auto running = here ? core_.start_here(job, *made) : start_on_fleet(job, *made);
  if (!running) return fail(std::move(running.error()));
  made->begin(std::move(*running));
  jobs_[job.id] = std::move(made);
  core_.log(LogLevel::info, "job " + job.id + " begins in pool " + job.pool +
                                (here && !agent_.empty() ? ", for " + agent_ : ""));
  return kDone;
}

Result<Json> Session::add(ObjectReader& request, std::uint64_t /*id*/) {
  auto job = find(request);
  if (!job) return fail(std::move(job.error()));
  std::vector<InstanceSpec> instances;
  request.need("instances");
  request.each("instances", [&](const Json& instance, const std::string& where) {
    instances.push_back(read_instance(instance, where + ".", request.faults()));
  });
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  return done((*job)->running().add(std::move(instances)));
}

Result<Json> Session::send(ObjectReader& request, std::uint64_t /*id*/) {
  auto job = find(request);
  if (!job) return fail(std::move(job.error()));
  request.need("instance");
  const std::uint64_t instance = request.number("instance").value_or(0);
  const auto bytes = decode_base64(text_of(request, "base64"));
  if (!bytes) request.fault("base64", "not base64");
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  return done((*job)->running().send(instance, *bytes));
}

Result<Json> Session::close_input(ObjectReader& request, std::uint64_t /*id*/) {
  auto job = find(request);
  if (!job) return fail(std::move(job.error()));
  request.need("instance");
  const std::uint64_t instance = request.number("instance").value_or(0);
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  return done((*job)->running().close_input(instance));
}

Result<Json> Session::signal(ObjectReader& request, std::uint64_t /*id*/) {
  auto job = find(request);
  if (!job) return fail(std::move(job.error()));
  request.need("instance");
  request.need("number");
  const std::uint64_t instance = request.number("instance").value_or(0);
  constexpr std::uint64_t kMostSignals = 64;
  const auto number = static_cast<int>(request.number("number", kMostSignals).value_or(0));
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  return done((*job)->running().signal(instance, number));
}

Result<Json> Session::finish(ObjectReader& request, std::uint64_t /*id*/) {
  auto job = find(request);
  if (!job) return fail(std::move(job.error()));
  return done((*job)->running().finish());
}

Result<Json> Session::kill(ObjectReader& request, std::uint64_t /*id*/) {
  const std::string id = text_of(request, "job");
  if (!request.faults().none()) return wrong(request.faults());
  const auto own = jobs_.find(id);
  if (own == jobs_.end()) return done(core_.jobs().kill(id));
  own->second->running().kill();
  return kDone;
}

Result<Json> Session::forget(ObjectReader& request, std::uint64_t /*id*/) {
  const std::string id = text_of(request, "job");
  if (!request.faults().none()) return wrong(request.faults());
  jobs_.erase(id);
  return kDone;
}

Result<Json> Session::nodes(ObjectReader& request, std::uint64_t /*id*/) {
  std::string pool;
  request.text("pool", pool);
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  auto members = core_.ask_all(pool);
  if (!members) return fail(std::move(members.error()));
  std::vector<NodeStatus> nodes;
  for (AgentCore::Member& member : *members) nodes.push_back(std::move(member.status));
  return nodes_to_json(nodes);
}

Result<Json> Session::status(ObjectReader& request, std::uint64_t /*id*/) {
  std::string pool;
  request.text("pool", pool);
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  return nodes_to_json({core_.status(pool)});
}

Result<Json> Session::jobs(ObjectReader& request, std::uint64_t /*id*/) {
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  return jobs_to_json(core_.jobs().list());
}

Result<Json> Session::logs(ObjectReader& request, std::uint64_t id) {
  const std::string job = text_of(request, "job");
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  const auto record = core_.jobs().find(job);
  if (!record) return fail(record.error());
  for (const JobRecord::Piece& piece : (*record)->log()) {
    more(id, {{"instance", piece.instance},
              {"stream", to_string(piece.stream)},
              {"base64", encode_base64(piece.bytes)}});
  }
  return kDone;
}

Result<Json> Session::events(ObjectReader& request, std::uint64_t id) {
  const std::string job = text_of(request, "job");
  request.no_more();
  if (!request.faults().none()) return wrong(request.faults());
  const auto record = core_.jobs().find(job);
  if (!record) return fail(record.error());
  for (const Event& event : (*record)->events()) more(id, event_to_json(event));
  return kDone;
}

}  // namespace particle::fleet
