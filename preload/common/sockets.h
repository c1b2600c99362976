/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy applied to sockets of the calling process: what the seccomp agent does to a duplicate and
 * the preload library to the program's own. System calls only, no allocation, no lock, so that a signal
 * handler and the child of a fork may call them. Functions return 0 or an errno unless they say else.
 */
/* NOLINTBEGIN: C, which eBPF objects and a C library include too; names as the kernel spells its own. */
#ifndef PARTICLE_SOCKETS_H
#define PARTICLE_SOCKETS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "../policy/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A socket address by value; `size` is what the caller said. */
struct pb_name {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
  } at;
  socklen_t size;
};

struct pb_facts {
  int domain;
  int type;
  int v6only;
};

/* Is it an IPv4 (4) or IPv6 (6) address that is long enough, or something else (0)? */
int pb_family(const struct pb_name* name);
int pb_is_inet(const struct pb_facts* facts);
/* IPV6_V6ONLY; no, where there is no such option. */
int pb_is_v6only(int fd);
/* Errors: EBADF, ENOTSOCK; the facts are zeroes then. */
int pb_read_facts(int fd, struct pb_facts* facts);

/* Does a socket of this network namespace, bound to exactly `address`, serve `port`? Both in network
 * byte order. By sock_diag(7). */
int pb_serves(int type, unsigned int address, in_port_t port);

/* What bind(2) to `name` comes to: changes it in place. */
int pb_judge_bind(const struct pb_endpoint* endpoint, const struct pb_facts* facts,
                  struct pb_name* name, struct pb_verdict* verdict);

/* Binds a new socket to the endpoint's address but to no port: what it sends or listens on before its
 * own bind(2), which stays possible, comes from there. */
int pb_prebind(const struct pb_endpoint* endpoint, int fd, int domain);

/* Where connect(2) or sendto(2) of a socket to `name` go: changes it in place, and says whether that is loopback. */
int pb_judge_destination(const struct pb_endpoint* endpoint, int fd, struct pb_name* name,
                         int* to_loopback, struct pb_verdict* verdict);

/* Gives a socket without a port the source that belongs to `destination`. */
int pb_prepare_source(const struct pb_endpoint* endpoint, int fd, const struct pb_name* destination,
                      int to_loopback, struct pb_verdict* verdict);

/* What getsockname(2) and its like show in place of `name`. */
void pb_show(const struct pb_endpoint* endpoint, struct pb_name* name);

#ifdef __cplusplus
}
#endif

#endif
/* NOLINTEND */
