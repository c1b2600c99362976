/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The bare calls: in the preload library the C library's names are our own wrappers. */
static int raw_bind(int fd, const struct pb_name* name) {
  return syscall(SYS_bind, fd, &name->at, name->size) == 0 ? 0 : errno;
}

static int option_of(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  return syscall(SYS_getsockopt, fd, level, name, &value, &size) == 0 ? value : 0;
}

static void make_v4(struct pb_name* name, unsigned int address, in_port_t port) {
  memset(name, 0, sizeof(*name));
  name->at.v4.sin_family = AF_INET;
  name->at.v4.sin_port = port;
  name->at.v4.sin_addr.s_addr = address;
  name->size = sizeof(name->at.v4);
}

static void make_v6(struct pb_name* name, const unsigned int address[4], in_port_t port) {
  memset(name, 0, sizeof(*name));
  name->at.v6.sin6_family = AF_INET6;
  name->at.v6.sin6_port = port;
  memcpy(&name->at.v6.sin6_addr, address, sizeof(name->at.v6.sin6_addr));
  name->size = sizeof(name->at.v6);
}

static void words_of(const struct pb_name* name, unsigned int out[4]) {
  if (name->at.any.sa_family == AF_INET6) {
    memcpy(out, &name->at.v6.sin6_addr, sizeof(name->at.v6.sin6_addr));
  } else {
    pb_map(out, name->at.v4.sin_addr.s_addr);
  }
}

static in_port_t port_of(const struct pb_name* name) {
  return name->at.any.sa_family == AF_INET6 ? name->at.v6.sin6_port : name->at.v4.sin_port;
}

int pb_family(const struct pb_name* name) {
  if (name->size >= sizeof(struct sockaddr_in) && name->at.any.sa_family == AF_INET) {
    return 4;
  }
  /* The kernel takes IPv6 names without a scope, too. */
  return name->size >= 24 && name->at.any.sa_family == AF_INET6 ? 6 : 0;
}

int pb_is_inet(const struct pb_facts* facts) {
  return facts->domain == AF_INET || facts->domain == AF_INET6;
}

int pb_is_v6only(int fd) {
  return option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0;
}

int pb_read_facts(int fd, struct pb_facts* facts) {
  socklen_t size = sizeof(facts->domain);
  memset(facts, 0, sizeof(*facts));
  if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &facts->domain, &size) != 0) {
    return errno;
  }
  facts->type = option_of(fd, SOL_SOCKET, SO_TYPE);
  facts->v6only = facts->domain == AF_INET6 && pb_is_v6only(fd);
  return 0;
}

int pb_serves(int type, unsigned int address, in_port_t port) {
  struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
  } request;
  struct {
    struct nlmsghdr header;
    struct inet_diag_msg body;
    char attributes[4096];
  } reply;
  ssize_t size = 0;
  const int fd = (int)syscall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) {
    return 0;
  }
  memset(&request, 0, sizeof(request));
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
  if (syscall(SYS_sendto, fd, &request, sizeof(request), 0, NULL, 0) > 0) {
    size = syscall(SYS_recvfrom, fd, &reply, sizeof(reply), 0, NULL, NULL);
  }
  syscall(SYS_close, fd);
  if (size < (ssize_t)(sizeof(reply.header) + sizeof(reply.body)) ||
      reply.header.nlmsg_type != SOCK_DIAG_BY_FAMILY) {
    return 0;
  }
  /* A dual-stack socket shows its address in IPv6 form. */
  return reply.body.id.idiag_src[reply.body.idiag_family == AF_INET6 ? 3 : 0] == address;
}

static int bind_address_only(int fd, const struct pb_name* name) {
  int on = 1;
  int error = 0;
  if (syscall(SYS_setsockopt, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) != 0) {
    return errno;
  }
  error = raw_bind(fd, name);
  /* Back again: the program's own bind to port 0 must find its port. */
  on = 0;
  syscall(SYS_setsockopt, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
  return error;
}

int pb_judge_bind(const struct pb_endpoint* endpoint, const struct pb_facts* facts,
                  struct pb_name* name, struct pb_verdict* verdict) {
  unsigned int address[4];
  const int family = pb_family(name);
  pb_set(verdict, PB_PASS, 0, PB_ROW_NONE);
  if (family == 0) {
    return EINVAL; /* AF_UNSPEC, and names too short to be one */
  }
  words_of(name, address);
  if (family == 4) {
    pb_bind4(endpoint, name->at.v4.sin_addr.s_addr, verdict);
  } else {
    pb_bind6(endpoint, address, facts->v6only, verdict);
  }
  if (verdict->action == PB_CHANGE && family == 4) {
    make_v4(name, verdict->address[0], port_of(name));
  } else if (verdict->action == PB_CHANGE) {
    make_v6(name, verdict->address, port_of(name));
  }
  return verdict->action == PB_REFUSE ? (int)verdict->error : 0;
}

int pb_prebind(const struct pb_endpoint* endpoint, int fd, int domain) {
  struct pb_name name;
  unsigned int mapped[4];
  int error = 0;
  if (endpoint->v4 != 0 && domain == AF_INET) {
    make_v4(&name, endpoint->v4, 0);
  } else if (endpoint->v4 != 0) {
    /* Bound to a true IPv6 address it would become IPV6_V6ONLY for good; from here it can still be
     * given one. */
    pb_map(mapped, endpoint->v4);
    make_v6(&name, mapped, 0);
  } else if (domain == AF_INET6) {
    make_v6(&name, endpoint->v6, 0);
  } else {
    return EAFNOSUPPORT; /* an IPv4 socket of an endpoint without IPv4 */
  }
  error = bind_address_only(fd, &name);
  /* A transport that cannot be given an address in advance cannot be kept to one. */
  return error == ENOPROTOOPT || error == EOPNOTSUPP ? EPROTONOSUPPORT : error;
}

int pb_judge_destination(const struct pb_endpoint* endpoint, int fd, struct pb_name* name,
                         int* to_loopback, struct pb_verdict* verdict) {
  unsigned int address[4];
  unsigned int to = 0;
  int type = 0;
  const in_port_t port = port_of(name);
  const int family = pb_family(name);
  *to_loopback = 0;
  pb_set(verdict, PB_PASS, 0, PB_ROW_NONE);
  if (family == 0) {
    return 0; /* AF_UNSPEC dissolves an association */
  }
  words_of(name, address);
  if (family == 4) {
    pb_to4(endpoint, address[3], verdict);
  } else {
    pb_to6(endpoint, address, verdict);
  }
  if (verdict->action == PB_REFUSE) {
    return (int)verdict->error;
  }
  *to_loopback = verdict->row == PB_ROW_TO_LOOPBACK;
  if (verdict->action != PB_CHANGE) {
    return 0;
  }
  to = endpoint->alias4;
  type = option_of(fd, SOL_SOCKET, SO_TYPE);
  if (endpoint->v4 != 0 && !pb_serves(type, to, port) && pb_serves(type, endpoint->v4, port)) {
    to = endpoint->v4; /* a server on "any" is there */
    *to_loopback = 0;
  }
  pb_map(address, to);
  if (family == 4) {
    make_v4(name, to, port);
  } else {
    make_v6(name, address, port);
  }
  return 0;
}

int pb_prepare_source(const struct pb_endpoint* endpoint, int fd, const struct pb_name* destination,
                      int to_loopback, struct pb_verdict* verdict) {
  struct pb_name bound;
  unsigned int to[4];
  unsigned int from[4];
  int free_to_choose = 0;
  int v6 = 0;
  pb_set(verdict, PB_PASS, 0, PB_ROW_NONE);
  bound.size = sizeof(bound.at);
  if (syscall(SYS_getsockname, fd, &bound.at, &bound.size) != 0) {
    return errno;
  }
  if (pb_family(&bound) == 0) {
    return 0; /* no IP socket: it takes no such address */
  }
  v6 = bound.at.any.sa_family == AF_INET6;
  free_to_choose = port_of(&bound) == 0;
  words_of(destination, to);
  words_of(&bound, from);
  if (to_loopback) {
    if (endpoint->mode != PB_REWRITE || !free_to_choose) {
      return 0;
    }
    pb_set(verdict, PB_CHANGE, 0, PB_ROW_TO_LOOPBACK);
    verdict->address[0] = htonl(INADDR_LOOPBACK);
  } else if (pb_is_mapped(to)) {
    pb_source4(endpoint, free_to_choose ? 0 : from[3], verdict);
  } else {
    if (free_to_choose) {
      memset(from, 0, sizeof(from));
    }
    pb_source6(endpoint, from, verdict);
  }
  if (verdict->action == PB_REFUSE) {
    return (int)verdict->error;
  }
  if (verdict->action == PB_PASS) {
    return 0;
  }
  if (!free_to_choose) {
    return EADDRNOTAVAIL; /* a port but no address: bound before the enforcement */
  }
  if (pb_is_mapped(to) && v6) {
    pb_map(verdict->address, verdict->address[0]);
  }
  if (v6) {
    make_v6(&bound, verdict->address, 0);
  } else {
    make_v4(&bound, verdict->address[0], 0);
  }
  return bind_address_only(fd, &bound);
}

void pb_show(const struct pb_endpoint* endpoint, struct pb_name* name) {
  unsigned int address[4];
  const int family = pb_family(name);
  if (family == 0) {
    return;
  }
  words_of(name, address);
  if (!pb_shows_loopback6(endpoint, address)) {
    return;
  }
  if (family == 4) {
    name->at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    name->at.v6.sin6_addr = in6addr_loopback;
  }
}
