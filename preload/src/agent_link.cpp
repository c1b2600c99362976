// SPDX-License-Identifier: Apache-2.0
#include "src/agent_link.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <particle/netns.hpp>

namespace particle::bind {
namespace {

constexpr std::size_t kMaxLines = 1024;
using TwoFds = std::array<int, 2>;

struct FdMessage {
  char byte = 'L';
  iovec part = {&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(TwoFds))> control{};
  msghdr header = {};
  FdMessage() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  FdMessage(const FdMessage&) = delete;
  FdMessage& operator=(const FdMessage&) = delete;
};

Result<void> send_fds(int socket, const TwoFds& fds) {
  FdMessage message;
  cmsghdr* part = CMSG_FIRSTHDR(&message.header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(fds));
  std::memcpy(CMSG_DATA(part), fds.data(), sizeof(fds));
  if (::sendmsg(socket, &message.header, MSG_NOSIGNAL) != 1) {
    return fail(Error::from_errno(errno, "hand the seccomp listener to the bind agent"));
  }
  return {};
}

/// Two descriptors, or none when the other end closed without sending any.
std::array<UniqueFd, 2> receive_fds(int socket) {
  FdMessage message;
  TwoFds fds = {-1, -1};
  while (::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC) < 0 && errno == EINTR) {
  }
  const cmsghdr* part = CMSG_FIRSTHDR(&message.header);
  if (part != nullptr && part->cmsg_len == CMSG_LEN(sizeof(fds))) {
    std::memcpy(fds.data(), CMSG_DATA(part), sizeof(fds));
  }
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace

Result<std::shared_ptr<AgentLog>> AgentLog::open() {
  auto log = std::make_shared<AgentLog>();
  log->ready_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!log->ready_.valid()) {
    return fail(Error::from_errno(errno, "make the bind agent's log"));
  }
  return log;
}

void AgentLog::add(std::string line) {
  const std::scoped_lock lock(lock_);
  if (lines_.size() < kMaxLines) {
    lines_.push_back(std::move(line));
  }
  const std::uint64_t one = 1;
  static_cast<void>(::write(ready_.get(), &one, sizeof(one)));
}

std::vector<std::string> AgentLog::take() {
  // First: a line that is added in between is taken, and leaves it readable once for nothing.
  std::uint64_t count = 0;
  static_cast<void>(::read(ready_.get(), &count, sizeof(count)));
  const std::scoped_lock lock(lock_);
  return std::exchange(lines_, {});
}

Result<AgentLink> AgentLink::open(FilterKind kind, const pb_endpoint& endpoint) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Error::from_errno(errno, "make the bind agent's channel"));
  }
  Result<std::shared_ptr<AgentLog>> log = AgentLog::open();
  if (!log) {
    return fail(log.error());
  }
  Result<InFlight> in_flight = InFlight::make();
  if (!in_flight) {
    return fail(in_flight.error());
  }
  AgentLink link;
  link.log_ = *std::move(log);
  link.in_flight_ = std::make_shared<InFlight>(*std::move(in_flight));
  link.kind_ = kind;
  link.endpoint_ = endpoint;
  link.parent_end_ = UniqueFd(ends[0]);
  link.child_end_ = UniqueFd(ends[1]);
  return link;
}

Result<void> AgentLink::enter(bool may_share) const {
  const Result<NetNs> netns = NetNs::current();
  if (!netns) {
    return fail(netns.error());
  }
  const Result<UniqueFd> listener = install_filter(kind_, (endpoint_.flags & PB_ALLOW_RAW) != 0);
  if (!listener) {
    if (may_share && listener.error().kind() == Errc::busy) {
      return {};
    }
    return fail(listener.error());
  }
  return send_fds(child_end_.get(), {listener->get(), netns->fd()});
}

Result<void> AgentLink::supervise() {
  child_end_.reset();  // or a child that dies before it sends would never be noticed
  std::array<UniqueFd, 2> fds = receive_fds(parent_end_.get());
  parent_end_.reset();
  if (!fds[0].valid() || !fds[1].valid()) {
    return {};
  }
  const NetNs netns(std::move(fds[1]));
  Result<std::unique_ptr<Agent>> agent = Agent::start(netns, in_flight_);
  if (!agent) {
    return fail(agent.error());
  }
  agent_ = *std::move(agent);
  return agent_->add(1, std::move(fds[0]), endpoint_,
                     [log = log_](std::string line) { log->add(std::move(line)); });
}

}  // namespace particle::bind
