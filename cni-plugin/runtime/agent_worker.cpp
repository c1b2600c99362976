// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdlib>

#include <sys/prctl.h>
#include <unistd.h>

#include "agent.hpp"
#include "agent_socket.hpp"
#include "enforcement_record.hpp"

namespace particle::runtime {
namespace {

/// What a container is to be kept to, its own directory says.
Result<void> take_on(bind::NodeAgent& agent, std::uint32_t number, UniqueFd listener,
                     const std::string& directory) {
  const auto record = read_enforcement(directory);
  if (!record) return fail(record.error());
  if (!*record) return fail(Error::of(Errc::not_found, enforcement_path(directory)));
  return agent.add(number, std::move(listener), (*record)->spec, (*record)->netns_path);
}

}  // namespace

void be_the_worker(int channel, KeptListeners listeners, const bind::CallTable& table) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::prctl(PR_SET_NAME, "particle-bind-w");
  bind::NodeAgent agent(table);
  // A listener that cannot be served must not be held either: its container would wait for ever.
  for (auto& [number, kept] : listeners) {
    if (!take_on(agent, number, std::move(kept.fd), kept.directory)) {
      static_cast<void>(send_message(channel, number, ""));
    }
  }
  listeners.clear();
  for (;;) {
    auto message = receive_message(channel);
    if (!message || !*message) ::_exit(message ? EXIT_SUCCESS : EXIT_FAILURE);
    AgentMessage& said = **message;
    if (!take_on(agent, said.number, std::move(said.fd), said.text)) {
      static_cast<void>(send_message(channel, said.number, ""));
    }
  }
}

}  // namespace particle::runtime
