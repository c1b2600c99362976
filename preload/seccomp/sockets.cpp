// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <cstring>

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <unistd.h>

#include "seccomp/call.hpp"

namespace particle::bind {
namespace {

int option_of(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : 0;
}

struct DiagRequest {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

}  // namespace

Name name_v4(unsigned address, in_port_t port) {
  Name name;
  name.v4().sin_family = AF_INET;
  name.v4().sin_port = port;
  name.v4().sin_addr.s_addr = address;
  name.size = sizeof(sockaddr_in);
  return name;
}

Name name_v6(const unsigned address[4], in_port_t port, std::uint32_t scope) {
  Name name;
  name.v6().sin6_family = AF_INET6;
  name.v6().sin6_port = port;
  std::memcpy(&name.v6().sin6_addr, address, sizeof(in6_addr));
  name.v6().sin6_scope_id = scope;
  name.size = sizeof(sockaddr_in6);
  return name;
}

SocketFacts facts_of(int fd) {
  SocketFacts facts;
  facts.domain = option_of(fd, SOL_SOCKET, SO_DOMAIN);
  facts.type = option_of(fd, SOL_SOCKET, SO_TYPE);
  facts.protocol = option_of(fd, SOL_SOCKET, SO_PROTOCOL);
  facts.v6only = facts.domain == AF_INET6 && option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0;
  return facts;
}

int bind_address_only(int fd, const Name& name) {
  int on = 1;
  if (::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) != 0) {
    return errno;
  }
  const int error = ::bind(fd, name.get(), name.size) == 0 ? 0 : errno;
  on = 0;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  return error;
}

bool serves(int type, unsigned address, in_port_t port) {
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  DiagRequest request = {};
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.body.sdiag_family = AF_INET;
  request.body.sdiag_protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
  request.body.idiag_states = ~0U;
  request.body.id.idiag_sport = port;
  request.body.id.idiag_src[0] = address;
  request.body.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  alignas(nlmsghdr) std::array<char, 4096> reply{};
  if (!fd.valid() || ::send(fd.get(), &request, sizeof(request), 0) < 0) {
    return false;
  }
  const ssize_t size = ::recv(fd.get(), reply.data(), reply.size(), 0);
  nlmsghdr header = {};
  inet_diag_msg found = {};
  if (size < static_cast<ssize_t>(sizeof(header) + sizeof(found))) {
    return false;
  }
  std::memcpy(&header, reply.data(), sizeof(header));
  std::memcpy(&found, reply.data() + sizeof(header), sizeof(found));
  if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) {
    return false;
  }
  // A dual-stack listener shows its address in IPv6 form.
  const unsigned bound =
      found.idiag_family == AF_INET6 ? found.id.idiag_src[3] : found.id.idiag_src[0];
  return bound == address;
}

}  // namespace particle::bind
