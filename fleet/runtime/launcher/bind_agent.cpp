// SPDX-License-Identifier: Apache-2.0
#include "launcher/bind_agent.hpp"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include <sys/socket.h>

#include "spawn/packet.hpp"
#include "spawn/wire.hpp"

namespace particle::fleet {

Result<std::unique_ptr<BindAgent>> BindAgent::start(const Node& node) {
  Result<bind::CallTable> table = bind::CallTable::make();
  if (!table) return fail(table.error());
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Error::from_errno(errno, "make the bind agent's socket pair"));
  }
  std::unique_ptr<BindAgent> agent(
      new BindAgent(node, *std::move(table), UniqueFd(ends[0]), UniqueFd(ends[1])));
  try {
    agent->thread_ = std::thread([self = agent.get()] { self->serve(); });
  } catch (const std::system_error& refused) {
    return fail(Error::from_errno(refused.code().value(), "start the bind agent's thread"));
  }
  return agent;
}

BindAgent::BindAgent(const Node& node, bind::CallTable table, UniqueFd ours, UniqueFd theirs)
    : node_(node),
      table_(std::move(table)),
      agent_(table_),
      ours_(std::move(ours)),
      theirs_(std::move(theirs)) {}

BindAgent::~BindAgent() {
  if (!thread_.joinable()) return;
  ::shutdown(ours_.get(), SHUT_RDWR);
  thread_.join();
}

void BindAgent::expect(std::uint64_t token, const Lease& lease) {
  const std::lock_guard guard(lock_);
  expected_.emplace(token, lease);
}

void BindAgent::forget(std::uint64_t token) {
  const std::lock_guard guard(lock_);
  expected_.erase(token);
}

void BindAgent::serve() {
  spawn::Packet packet;
  while (spawn::receive(ours_.get(), 0, packet) == spawn::Received::packet) {
    std::vector<UniqueFd> listeners;
    listeners.reserve(packet.descriptors.size());
    for (const int fd : packet.descriptors) listeners.emplace_back(fd);
    spawn::Reader in(packet.bytes);
    const bool good = in.type() == spawn::Message::listener && listeners.size() == 1;
    if (good) take_on(in.number<std::uint64_t>(), std::move(listeners.front()));
  }
}

/// A listener that cannot be served is closed: the instance's calls fail then.
void BindAgent::take_on(std::uint64_t token, UniqueFd listener) {
  bind::EnforceSpec spec;
  {
    const std::lock_guard guard(lock_);
    const auto found = expected_.find(token);
    if (found == expected_.end()) return;
    spec.lease = std::move(found->second);
    expected_.erase(found);
  }
  spec.run_dir = node_.run_dir();
  spec.node_id = node_.id();
  spec.mechanism = bind::Mechanism::seccomp;
  // By a descriptor: the pin may be in another mount namespace than this process's.
  const Result<NetNs> netns = open_pinned_netns(spec.lease.netns_path);
  if (!netns) return;
  static_cast<void>(agent_.add(++last_number_, std::move(listener), spec,
                               "/proc/self/fd/" + std::to_string(netns->fd())));
}

}  // namespace particle::fleet
