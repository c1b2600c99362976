// SPDX-License-Identifier: Apache-2.0
// Apart from the agent, so that who only reads a command line links nothing of it.
#include <particle_fleet/agent.hpp>

#include "model/faults.hpp"
#include "wire/address.hpp"

namespace particle::fleet {

Result<AgentPeer> AgentPeer::parse(std::string_view text) {
  const std::size_t equals = text.find('=');
  const Error wrong = Error::of(Errc::invalid_argument, "peer " + in_quotes(text),
                                "NAME=IP:PORT is expected, as n2=10.9.0.2:4790");
  if (equals == std::string_view::npos) return fail(wrong);
  AgentPeer peer{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  if (!check_name("node name", peer.name) || !TcpAddress::parse(peer.address)) return fail(wrong);
  return peer;
}

}  // namespace particle::fleet
