// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/agent.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>

#include <poll.h>
#include <unistd.h>

#include "agent/session.hpp"
#include "wire/address.hpp"

namespace particle::fleet {
namespace {

constexpr std::size_t kMostSessions = 256;
constexpr int kLook = 1000;  // ms: how often sessions that ended are cleared away

}  // namespace

struct Agent::State {
  State(std::unique_ptr<NodeRuntime> runtime, AgentOptions options)
      : socket_path(options.socket), core(std::move(runtime), std::move(options)) {}
  ~State() {
    // All at once first: each session ends its jobs, which takes a while.
    for (Session& session : sessions) session.stop();
    sessions.clear();
    if (unix_listener.valid()) ::unlink(socket_path.c_str());
  }
  void accept(const UniqueFd& listener, bool from_agent);

  std::string socket_path;
  AgentCore core;
  UniqueFd unix_listener;
  UniqueFd tcp_listener;
  std::list<Session> sessions;
};

void Agent::State::accept(const UniqueFd& listener, bool from_agent) {
  auto socket = accept_on(listener);
  if (!socket) return core.log(LogLevel::warning, socket.error().message());
  if (sessions.size() >= kMostSessions) {
    return core.log(LogLevel::warning, "a connection was refused: there are 256");
  }
  sessions.emplace_back(core, std::move(*socket), from_agent);
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
  auto listener = listen_unix(options.socket);
  if (!listener) return fail(std::move(listener.error()));
  auto state = std::make_unique<State>(std::move(runtime), std::move(options));
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
    std::array<pollfd, 3> wait = {pollfd{stop, POLLIN, 0},
                                  pollfd{state.unix_listener.get(), POLLIN, 0},
                                  pollfd{state.tcp_listener.get(), POLLIN, 0}};
    if (::poll(wait.data(), wait.size(), kLook) < 0 && errno != EINTR) {
      return fail(Error::from_errno(errno, "wait for connections"));
    }
    state.sessions.remove_if([](const Session& session) { return session.over(); });
    if (wait[0].revents != 0) break;
    if ((wait[1].revents & POLLIN) != 0) state.accept(state.unix_listener, false);
    if ((wait[2].revents & POLLIN) != 0) state.accept(state.tcp_listener, true);
  }
  return {};
}

}  // namespace particle::fleet
