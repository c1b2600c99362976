// SPDX-License-Identifier: Apache-2.0
/// One notified call: what the caller asked for, and what it gets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <particle/unique_fd.hpp>

#include "policy/policy.h"

namespace particle::bind {

/// What decides a call. `listener` is shared with threads that wait in a connect for their caller.
struct CallContext {
  std::shared_ptr<const UniqueFd> listener;
  pb_endpoint endpoint = {};
  std::function<void(std::string)> log = [](const std::string&) {};
};

/// Decides and answers one notification; every path answers it, or leaves that to the thread of a
/// blocking connect.
void answer(const CallContext& context, const seccomp_notif& notification);

// The parts, for calls.cpp and its neighbours.

/// A socket address by value.
struct Name {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr_in& v4() { return reinterpret_cast<sockaddr_in&>(storage); }
  [[nodiscard]] sockaddr_in6& v6() { return reinterpret_cast<sockaddr_in6&>(storage); }
  [[nodiscard]] bool is_v4() const {
    return storage.ss_family == AF_INET && size >= static_cast<socklen_t>(sizeof(sockaddr_in));
  }
  [[nodiscard]] bool is_v6() const {
    // SIN6_LEN_RFC2133: the kernel takes names without a scope, too.
    return storage.ss_family == AF_INET6 && size >= 24;
  }
  [[nodiscard]] in_port_t port() const {
    return reinterpret_cast<const sockaddr_in*>(&storage)->sin_port;
  }
};

Name name_v4(unsigned address, in_port_t port);
Name name_v6(const unsigned address[4], in_port_t port, std::uint32_t scope = 0);

/// A socket as the policy sees it.
struct SocketFacts {
  int domain = 0;
  int type = 0;
  int protocol = 0;
  bool v6only = false;
  [[nodiscard]] bool inet() const { return domain == AF_INET || domain == AF_INET6; }
};
SocketFacts facts_of(int fd);

/// Does a socket of the calling thread's namespace, bound to exactly `address`, serve `port`?
/// By sock_diag(7). `port` in network byte order.
bool serves(int type, unsigned address, in_port_t port);

/// Binds to `address` without taking a port, so that a later bind(2) of the program's still can: what
/// is sent or listened on before that comes from there. Returns 0 or an errno.
int bind_address_only(int fd, const Name& name);

}  // namespace particle::bind
