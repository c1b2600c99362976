/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libparticle_bind.so: the policy by LD_PRELOAD, for development and for hosts without privileges. It
 * keeps no table of descriptors, so that dup, fork and epoll need no wrapping: what has to be known of
 * a socket is asked of the kernel when it is bound, listened on, connected or sent from.
 *
 * Nothing here allocates or locks. Static programs, Go, set-user-ID programs and bare system calls pass
 * it by; io_uring too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/sockets.h"
#include "config.h"

#define EXPORT __attribute__((visibility("default")))

static struct pb_endpoint endpoint;
/* Without a readable PARTICLE_BIND nothing is let through: what broke must not open the door. */
static int configured;

/* glibc names the parameters with underscores; a function that dlsym(3) found is a number.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name,performance-no-int-to-ptr,bugprone-macro-parentheses) */
/* The next definition of each name, found at load. Another library's constructor may run before ours:
 * then at the first call, which finds the same. */
#define NEXT(type, name, parameters)                                            \
  typedef type(*name##_function) parameters;                                    \
  static _Atomic(uintptr_t) name##_next;                                        \
  static name##_function next_##name(void) {                                    \
    uintptr_t found = atomic_load_explicit(&name##_next, memory_order_relaxed); \
    if (found == 0) {                                                           \
      found = (uintptr_t)dlsym(RTLD_NEXT, #name);                               \
      atomic_store_explicit(&name##_next, found, memory_order_relaxed);         \
    }                                                                           \
    return (name##_function)found;                                              \
  }

NEXT(int, socket, (int, int, int))
NEXT(int, bind, (int, const struct sockaddr*, socklen_t))
NEXT(int, connect, (int, const struct sockaddr*, socklen_t))
NEXT(int, listen, (int, int))
NEXT(int, getsockname, (int, struct sockaddr*, socklen_t*))
NEXT(int, getpeername, (int, struct sockaddr*, socklen_t*))
NEXT(int, accept, (int, struct sockaddr*, socklen_t*))
NEXT(int, accept4, (int, struct sockaddr*, socklen_t*, int))
NEXT(ssize_t, sendto, (int, const void*, size_t, int, const struct sockaddr*, socklen_t))
NEXT(ssize_t, sendmsg, (int, const struct msghdr*, int))
NEXT(int, sendmmsg, (int, struct mmsghdr*, unsigned int, int))
NEXT(ssize_t, recvfrom, (int, void*, size_t, int, struct sockaddr*, socklen_t*))
NEXT(ssize_t, recvmsg, (int, struct msghdr*, int))
NEXT(int, recvmmsg, (int, struct mmsghdr*, unsigned int, int, struct timespec*))

__attribute__((constructor)) static void resolve(void) {
  configured = pb_parse_config(getenv(PB_CONFIG_VARIABLE), &endpoint);
  next_socket();
  next_bind();
  next_connect();
  next_listen();
  next_getsockname();
  next_getpeername();
  next_accept();
  next_accept4();
  next_sendto();
  next_sendmsg();
  next_sendmmsg();
  next_recvfrom();
  next_recvmsg();
  next_recvmmsg();
}

static int fail_with(int error) {
  errno = error;
  return -1;
}

static int copy_name(const struct sockaddr* address, socklen_t size, struct pb_name* name) {
  if (address == NULL || size > sizeof(name->at)) {
    return 0;
  }
  memset(name, 0, sizeof(*name));
  memcpy(&name->at, address, size);
  name->size = size;
  return 1;
}

/* Transports that can be given an address at any time until they use one: bind(), connect(), listen()
 * and the sends do, so that socket() costs nothing. Others, such as SCTP, have ways around those. */
static int is_plain(int kind, int protocol) {
  return kind == SOCK_STREAM ? protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP
                             : kind == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP ||
                                                      protocol == IPPROTO_UDPLITE);
}

EXPORT int socket(int domain, int type, int protocol) {
  struct pb_verdict verdict;
  const int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
  const int inet = domain == AF_INET || domain == AF_INET6;
  int fd = -1;
  int error = 0;
  if (!configured && inet) {
    return fail_with(EPERM);
  }
  pb_create(&endpoint, (unsigned int)domain, (unsigned int)kind, (unsigned int)protocol, &verdict);
  if (verdict.action == PB_REFUSE) {
    return fail_with((int)verdict.error);
  }
  fd = next_socket()(domain, type, protocol);
  if (fd < 0 || !inet || kind == SOCK_RAW || is_plain(kind, protocol) ||
      endpoint.mode != PB_REWRITE) {
    return fd;
  }
  error = pb_prebind(&endpoint, fd, domain);
  if (error != 0) {
    close(fd);
    return fail_with(error);
  }
  return fd;
}

/* What the address says decides, as in the kernel: a socket of another family refuses it. Only AF_UNSPEC
 * can be any, which a socket that is none of ours takes as it likes. */
EXPORT int bind(int fd, const struct sockaddr* address, socklen_t size) {
  struct pb_facts facts = {0};
  struct pb_name name;
  struct pb_verdict verdict;
  int family = 0;
  int error = 0;
  if (!copy_name(address, size, &name)) {
    return next_bind()(fd, address, size);
  }
  family = pb_family(&name);
  if (family == 0 && name.at.any.sa_family != AF_UNSPEC) {
    return next_bind()(fd, address, size);
  }
  facts.v6only = family == 6 && pb_is_v6only(fd);
  error = configured ? pb_judge_bind(&endpoint, &facts, &name, &verdict) : EPERM;
  if (error == 0) {
    return next_bind()(fd, &name.at.any, name.size);
  }
  pb_read_facts(fd, &facts);
  return pb_is_inet(&facts) ? fail_with(error) : next_bind()(fd, address, size);
}

/* Where it goes and comes from: 0, or an errno. Changes `name`, which is an IP address. */
static int choose_way(int fd, struct pb_name* name) {
  struct pb_verdict verdict;
  int to_loopback = 0;
  int error = 0;
  if (!configured) {
    return EPERM;
  }
  error = pb_judge_destination(&endpoint, fd, name, &to_loopback, &verdict);
  return error != 0 ? error : pb_prepare_source(&endpoint, fd, name, to_loopback, &verdict);
}

EXPORT int connect(int fd, const struct sockaddr* address, socklen_t size) {
  struct pb_name name;
  int error = 0;
  if (!copy_name(address, size, &name) || pb_family(&name) == 0) {
    return next_connect()(fd, address, size);
  }
  error = choose_way(fd, &name);
  return error != 0 ? fail_with(error) : next_connect()(fd, &name.at.any, name.size);
}

/* A socket that was never bound is bound to the endpoint's address first; strict refuses to choose. */
EXPORT int listen(int fd, int backlog) {
  struct pb_facts facts = {0};
  struct pb_name name;
  struct pb_verdict verdict;
  int error = 0;
  name.size = sizeof(name.at);
  if (next_getsockname()(fd, &name.at.any, &name.size) != 0 || pb_family(&name) == 0 ||
      name.at.v4.sin_port != 0) {
    return next_listen()(fd, backlog);
  }
  facts.v6only = pb_family(&name) == 6 && pb_is_v6only(fd);
  error = configured ? pb_judge_bind(&endpoint, &facts, &name, &verdict) : EPERM;
  if (error == 0 && next_bind()(fd, &name.at.any, name.size) != 0) {
    return -1;
  }
  return error != 0 ? fail_with(error) : next_listen()(fd, backlog);
}

/* ---- what programs are shown ---------------------------------------------------------------- */

/* `room` is what the caller had, `size` what the kernel says it has. */
static void show(struct sockaddr* address, socklen_t room, socklen_t size) {
  struct pb_name name;
  if (!configured || address == NULL || room < size || !copy_name(address, size, &name)) {
    return;
  }
  pb_show(&endpoint, &name);
  memcpy(address, &name.at, size);
}

EXPORT int getsockname(int fd, struct sockaddr* address, socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const int result = next_getsockname()(fd, address, size);
  if (result == 0 && size != NULL) {
    show(address, room, *size);
  }
  return result;
}

EXPORT int getpeername(int fd, struct sockaddr* address, socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const int result = next_getpeername()(fd, address, size);
  if (result == 0 && size != NULL) {
    show(address, room, *size);
  }
  return result;
}

EXPORT int accept(int fd, struct sockaddr* address, socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const int result = next_accept()(fd, address, size);
  if (result >= 0 && size != NULL) {
    show(address, room, *size);
  }
  return result;
}

EXPORT int accept4(int fd, struct sockaddr* address, socklen_t* size, int flags) {
  const socklen_t room = size != NULL ? *size : 0;
  const int result = next_accept4()(fd, address, size, flags);
  if (result >= 0 && size != NULL) {
    show(address, room, *size);
  }
  return result;
}

EXPORT ssize_t recvfrom(int fd, void* buffer, size_t length, int flags, struct sockaddr* address,
                        socklen_t* size) {
  const socklen_t room = size != NULL ? *size : 0;
  const ssize_t result = next_recvfrom()(fd, buffer, length, flags, address, size);
  if (result >= 0 && address != NULL && size != NULL) {
    show(address, room, *size);
  }
  return result;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  const socklen_t room = message->msg_namelen;
  const ssize_t result = next_recvmsg()(fd, message, flags);
  if (result >= 0 && message->msg_name != NULL) {
    show(message->msg_name, room, message->msg_namelen);
  }
  return result;
}

EXPORT int recvmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags,
                    struct timespec* timeout) {
  const int result = next_recvmmsg()(fd, messages, count, flags, timeout);
  for (int i = 0; i < result; i++) {
    struct msghdr* message = &messages[i].msg_hdr;
    if (message->msg_name != NULL) {
      show(message->msg_name, message->msg_namelen, message->msg_namelen);
    }
  }
  return result;
}

/* ---- datagrams without connect -------------------------------------------------------------- */

EXPORT ssize_t sendto(int fd, const void* buffer, size_t length, int flags,
                      const struct sockaddr* address, socklen_t size) {
  struct pb_name name;
  int error = 0;
  if (!copy_name(address, size, &name) || pb_family(&name) == 0) {
    return next_sendto()(fd, buffer, length, flags, address, size);
  }
  error = choose_way(fd, &name);
  return error != 0 ? fail_with(error)
                    : next_sendto()(fd, buffer, length, flags, &name.at.any, name.size);
}

/* Does IP_PKTINFO or IPV6_PKTINFO ask for a source that is not the endpoint's? */
static int asks_for_other_source(const struct msghdr* message) {
  for (struct cmsghdr* part = CMSG_FIRSTHDR(message); part != NULL;
       part = CMSG_NXTHDR((struct msghdr*)(uintptr_t)message, part)) {
    struct pb_verdict verdict;
    unsigned int from[4] = {0};
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO &&
        part->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(part), sizeof(info));
      pb_source4(&endpoint, info.ipi_spec_dst.s_addr, &verdict);
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO &&
               part->cmsg_len >= CMSG_LEN(sizeof(struct in6_pktinfo))) {
      memcpy(from, CMSG_DATA(part), sizeof(from));
      if (pb_is_mapped(from)) {
        pb_source4(&endpoint, from[3], &verdict);
      } else {
        pb_source6(&endpoint, from, &verdict);
      }
    } else {
      continue;
    }
    if (verdict.row == PB_ROW_SOURCE_FOREIGN && verdict.action == PB_REFUSE) {
      return 1;
    }
  }
  return 0;
}

/* 0, or an errno; `out` is what to send instead. */
static int judge_message(int fd, const struct msghdr* message, struct msghdr* out,
                         struct pb_name* name) {
  struct pb_facts facts;
  int error = 0;
  *out = *message;
  if (message->msg_name == NULL && message->msg_controllen == 0) {
    return 0;
  }
  pb_read_facts(fd, &facts);
  if (!pb_is_inet(&facts)) {
    return 0;
  }
  if (message->msg_controllen != 0 && asks_for_other_source(message)) {
    return EADDRNOTAVAIL;
  }
  if (!copy_name(message->msg_name, message->msg_namelen, name) || pb_family(name) == 0) {
    return 0;
  }
  error = choose_way(fd, name);
  out->msg_name = &name->at;
  out->msg_namelen = name->size;
  return error;
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  struct msghdr changed;
  struct pb_name name;
  const int error = judge_message(fd, message, &changed, &name);
  return error != 0 ? fail_with(error) : next_sendmsg()(fd, &changed, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr* messages, unsigned int count, int flags) {
  unsigned int sent = 0;
  for (; sent < count; sent++) {
    struct msghdr* message = &messages[sent].msg_hdr;
    ssize_t result = 0;
    if (message->msg_name == NULL && message->msg_controllen == 0) {
      /* The usual case, a connected socket: all that is left in one call. */
      const int rest = next_sendmmsg()(fd, messages + sent, count - sent, flags);
      if (rest < 0) {
        break;
      }
      return (int)sent + rest;
    }
    result = sendmsg(fd, message, flags);
    if (result < 0) {
      break;
    }
    messages[sent].msg_len = (unsigned int)result;
  }
  return sent != 0 || count == 0 ? (int)sent : -1;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name,performance-no-int-to-ptr,bugprone-macro-parentheses) */
