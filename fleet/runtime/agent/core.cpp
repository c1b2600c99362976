// SPDX-License-Identifier: Apache-2.0
#include "agent/core.hpp"

#include <future>
#include <set>

#include "client/remote_job.hpp"
#include "client/status_json.hpp"
#include "wire/address.hpp"

namespace particle::fleet {
namespace {

using namespace std::chrono_literals;

constexpr auto kConnect = 2s;
constexpr auto kAnswer = 5s;

AgentCore::Member unreachable(const AgentPeer& peer, const Error& error) {
  AgentCore::Member member;
  member.status.name = peer.name;
  member.status.address = peer.address;
  member.status.problem = error.message() + (error.hint.empty() ? "" : "; " + error.hint);
  return member;
}

Result<std::unique_ptr<Transport>> reach(const AgentPeer& peer, const std::optional<Tls>& tls) {
  const auto address = TcpAddress::parse(peer.address);
  if (!address) return fail(address.error());
  auto socket = connect_tcp(*address, kConnect);
  if (!socket) return fail(std::move(socket.error()));
  if (!tls) return make_plain_transport(std::move(*socket));
  return tls->connect(std::move(*socket), peer.name, kConnect);
}

AgentCore::Member ask_peer(const AgentPeer& peer, const std::string& pool,
                           const std::optional<Tls>& tls) {
  auto transport = reach(peer, tls);
  if (!transport) return unreachable(peer, transport.error());
  auto connection = std::make_shared<Connection>(std::move(*transport));
  auto answer = connection->ask({{"do", "status"}, {"pool", pool}}, {}, kAnswer);
  if (!answer) return unreachable(peer, answer.error());
  auto nodes = nodes_from_json(*answer);
  if (!nodes || nodes->size() != 1) {
    return unreachable(peer, nodes ? Error::of(Errc::protocol, "no status") : nodes.error());
  }
  AgentCore::Member member{std::move(nodes->front()), std::move(connection)};
  member.status.address = peer.address;
  if (member.status.name != peer.name) {
    member.status.problem = "the agent there calls itself " + member.status.name;
    member.status.name = peer.name;
    member.status.alive = false;
  }
  return member;
}

}  // namespace

/// Between a job and its observer: counts what is alive on this node.
class AgentCore::Counter final : public JobObserver, public RunningJob {
 public:
  Counter(std::atomic<std::uint64_t>& instances, JobObserver& observer)
      : instances_(instances), observer_(observer) {}
  ~Counter() override {
    job.reset();
    instances_ -= alive_.size();
  }

  void on_event(const Event& event) override {
    count(event);
    observer_.on_event(event);
  }
  void on_output(std::uint64_t instance, Stream stream, std::string_view bytes) override {
    observer_.on_output(instance, stream, bytes);
  }
  void on_lost(const Error& error) override { observer_.on_lost(error); }

  Result<void> add(std::vector<InstanceSpec> instances) override {
    return job->add(std::move(instances));
  }
  Result<void> send(std::uint64_t instance, std::string_view bytes) override {
    return job->send(instance, bytes);
  }
  Result<void> close_input(std::uint64_t instance) override { return job->close_input(instance); }
  Result<void> signal(std::uint64_t instance, int number) override {
    return job->signal(instance, number);
  }
  Result<void> finish() override { return job->finish(); }
  void kill() override { job->kill(); }
  Result<void> wait() override { return job->wait(); }

  std::unique_ptr<RunningJob> job;

 private:
  void count(const Event& event) {
    if (event.phase == Phase::created && alive_.insert(event.instance).second) ++instances_;
    if (event.phase == Phase::done && alive_.erase(event.instance) > 0) --instances_;
  }

  std::atomic<std::uint64_t>& instances_;
  JobObserver& observer_;
  std::set<std::uint64_t> alive_;  ///< observers are called by one thread at a time
};

void AgentCore::log(LogLevel level, const std::string& text) const {
  if (options_.log) options_.log(level, text);
}

NodeStatus AgentCore::status(const std::string& pool) const {
  NodeStatus out;
  out.name = options_.name;
  out.alive = true;
  out.instances = instances_;
  if (pool.empty()) return out;
  const auto free = runtime_->free_endpoints(pool);
  if (free) {
    out.free_endpoints = *free;
  } else {
    out.problem = free.error().message();
  }
  return out;
}

Result<std::unique_ptr<RunningJob>> AgentCore::start_here(const JobSpec& job,
                                                          JobObserver& observer) {
  auto counter = std::make_unique<Counter>(instances_, observer);
  auto started = runtime_->start(job, *counter);
  if (!started) return fail(std::move(started.error()));
  counter->job = std::move(*started);
  return std::unique_ptr<RunningJob>(std::move(counter));
}

Result<std::vector<AgentCore::Member>> AgentCore::ask_all(const std::string& pool) {
  std::vector<AgentPeer> peers;
  if (options_.peers) {
    auto known = options_.peers();
    if (!known) return fail(std::move(known.error()));
    peers = std::move(*known);
  }
  std::vector<std::future<Member>> asked;
  for (const AgentPeer& peer : peers) {
    if (peer.name == options_.name) continue;  // one list for all nodes may name this one, too
    asked.push_back(std::async(std::launch::async, ask_peer, peer, pool, tls_));
  }
  std::vector<Member> members;
  members.push_back({status(pool), nullptr});
  for (auto& one : asked) members.push_back(one.get());
  return members;
}

StartJob AgentCore::starter_of(const Member& member) {
  if (!member.connection) {
    return [this](const JobSpec& job, JobObserver& observer) { return start_here(job, observer); };
  }
  return [connection = member.connection](
             const JobSpec& job, JobObserver& observer) -> Result<std::unique_ptr<RunningJob>> {
    auto remote = RemoteJob::start(connection, job, Scope::node, observer);
    if (!remote) return fail(std::move(remote.error()));
    return std::unique_ptr<RunningJob>(std::move(*remote));
  };
}

}  // namespace particle::fleet
