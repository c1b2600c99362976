// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/agent.hpp>

#include <cerrno>
#include <chrono>
#include <list>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include "agent/admission.hpp"
#include "agent/session.hpp"
#include "wire/address.hpp"
#include "wire/tls.hpp"

namespace particle::fleet {
namespace {

// Of each kind: what comes over TCP cannot keep out the node's own clients.
constexpr std::size_t kMostSessions = 256;
constexpr std::chrono::milliseconds kLook{1000};  // how often sessions that ended are cleared away

/// With whom TCP is spoken: unset with nobody, or with whoever comes.
Result<std::optional<Tls>> open_tls(const AgentOptions& options) {
  if (options.secret_file) {
    auto secret = read_secret(*options.secret_file);
    if (!secret) return fail(std::move(secret.error()));
    auto tls = Tls::open(std::move(*secret), options.cluster, options.name);
    if (!tls) return fail(std::move(tls.error()));
    return std::optional<Tls>(std::move(*tls));
  }
  if ((options.listen || options.peers) && !options.no_authentication) {
    return fail(Error::of(Errc::invalid_argument, "agents over TCP without a secret",
                          "whoever reaches an agent runs programs as root on its node"));
  }
  return std::optional<Tls>();
}

}  // namespace

struct Agent::State {
  State(std::unique_ptr<NodeRuntime> runtime, AgentOptions options, const std::optional<Tls>& tls)
      : socket_path(options.socket),
        core(std::move(runtime), std::move(options), tls),
        admission(tls, [this](const std::string& line) { core.log(LogLevel::warning, line); }) {}
  ~State() {
    // All at once first: each session ends its jobs, which takes a while.
    for (auto* sessions : {&clients, &agents}) {
      for (Session& session : *sessions) session.stop();
    }
    clients.clear();
    agents.clear();
    if (unix_listener.valid()) ::unlink(socket_path.c_str());
  }
  std::optional<Accepted> accept(const UniqueFd& listener) const;
  void begin(std::list<Session>& among, std::unique_ptr<Transport> transport, std::string who);
  void serve(const std::vector<pollfd>& events);

  std::string socket_path;
  AgentCore core;
  Admission admission;
  UniqueFd unix_listener;
  UniqueFd tcp_listener;
  std::list<Session> clients;  ///< of this node
  std::list<Session> agents;   ///< of the others
};

std::optional<Accepted> Agent::State::accept(const UniqueFd& listener) const {
  auto connection = accept_on(listener);
  if (connection) return std::move(*connection);
  core.log(LogLevel::warning, connection.error().message());
  return std::nullopt;
}

void Agent::State::begin(std::list<Session>& among, std::unique_ptr<Transport> transport,
                         std::string who) {
  if (among.size() >= kMostSessions) {
    return core.log(LogLevel::warning, "a connection was refused: there are 256");
  }
  among.emplace_back(core, std::move(transport), std::move(who));
}

void Agent::State::serve(const std::vector<pollfd>& events) {
  if ((events[1].revents & POLLIN) != 0) {
    if (auto client = accept(unix_listener)) {
      begin(clients, make_plain_transport(std::move(client->socket)), "");
    }
  }
  if ((events[2].revents & POLLIN) != 0) {
    if (auto agent = accept(tcp_listener)) admission.take(std::move(*agent));
  }
  admission.serve(events);
  for (Admitted& one : admission.take_admitted()) {
    begin(agents, std::move(one.transport), std::move(one.who));
  }
}

Agent::Agent(std::unique_ptr<State> state) : state_(std::move(state)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;
Agent::~Agent() = default;

Result<Agent> Agent::open(std::unique_ptr<NodeRuntime> runtime, AgentOptions options) {
  std::optional<TcpAddress> address;
  if (options.listen) {
    auto parsed = TcpAddress::parse(*options.listen);
    if (!parsed) return fail(std::move(parsed.error()));
    address = *parsed;
  }
  const auto tls = open_tls(options);
  if (!tls) return fail(tls.error());
  auto listener = listen_unix(options.socket);
  if (!listener) return fail(std::move(listener.error()));
  auto state = std::make_unique<State>(std::move(runtime), std::move(options), *tls);
  state->unix_listener = std::move(*listener);
  if (address) {
    auto tcp = listen_tcp(*address);
    if (!tcp) return fail(std::move(tcp.error()));
    state->tcp_listener = std::move(*tcp);
  }
  return Agent(std::move(state));
}

Result<void> Agent::run(int stop) {
  State& state = *state_;
  while (true) {
    std::vector<pollfd> wait = {{stop, POLLIN, 0},
                                {state.unix_listener.get(), POLLIN, 0},
                                {state.tcp_listener.get(), POLLIN, 0}};
    state.admission.add_to(wait);
    const auto patience = static_cast<int>(state.admission.patience(kLook).count());
    if (::poll(wait.data(), wait.size(), patience) < 0 && errno != EINTR) {
      return fail(Error::from_errno(errno, "wait for connections"));
    }
    for (auto* sessions : {&state.clients, &state.agents}) {
      sessions->remove_if([](const Session& session) { return session.over(); });
    }
    if (wait[0].revents != 0) break;
    state.serve(wait);
  }
  return {};
}

}  // namespace particle::fleet
