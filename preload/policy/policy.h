/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The bind enforcer's policy: what an endpoint's process may bind to, where its loopback is and which
 * source its packets have. Pure decisions on copied values: no system call, no memory of its own, no
 * library. The same text is compiled into the eBPF programs, the seccomp agent and the preload
 * library, so that the three cannot disagree. docs/bind-enforcement.md has the table for users.
 *
 * Units: addresses are in network byte order. Threads: all functions are pure.
 */
/* NOLINTBEGIN: C, which eBPF objects and a C library include too; names as the kernel spells its own. */
#ifndef PARTICLE_POLICY_H
#define PARTICLE_POLICY_H

#define PB_INLINE static inline __attribute__((always_inline, unused))

/* What the kernel calls them; spelled out because eBPF objects include no errno.h. */
#define PB_EPERM 1
#define PB_EADDRNOTAVAIL 99
#define PB_ENETUNREACH 101

#define PB_MAX_ALLOWED 4

enum pb_mode { PB_REWRITE = 0, PB_STRICT = 1, PB_AUDIT = 2 };

enum pb_flag {
  PB_ALLOW_RAW = 1, /* raw, ping and packet sockets */
};

enum pb_action { PB_PASS = 0, PB_CHANGE = 1, PB_REFUSE = 2 };

/* The rows of the table in docs/bind-enforcement.md, in its order. */
enum pb_row {
  PB_ROW_NONE = 0,
  PB_ROW_BIND_ANY4,
  PB_ROW_BIND_ANY6_DUAL,
  PB_ROW_BIND_ANY6_ONLY,
  PB_ROW_BIND_OWN,
  PB_ROW_BIND_OTHER,
  PB_ROW_BIND_LOOPBACK4,
  PB_ROW_BIND_LOOPBACK6,
  PB_ROW_BIND_ALLOWED,
  PB_ROW_BIND_GROUP,
  PB_ROW_LISTEN_UNBOUND,
  PB_ROW_TO_LOOPBACK,
  PB_ROW_SOURCE,
  PB_ROW_SOURCE_MISSING,
  PB_ROW_SOURCE_FOREIGN,
  PB_ROW_RAW,
  PB_ROW_PROTOCOL,
  PB_ROW_NO_ENDPOINT,
  PB_ROW_COUNT
};

/* A multicast group or broadcast address that may be bound to: IPv4 as ::ffff:a.b.c.d. */
struct pb_prefix {
  unsigned int address[4];
  unsigned int length; /* bits of the 128; 0: unused entry */
};

/* Who the process is. All zero words mean: none of that family. */
struct pb_endpoint {
  unsigned int v4;
  unsigned int alias4; /* the endpoint's own 127.0.0.1 */
  unsigned int v6[4];
  unsigned int mode;  /* enum pb_mode */
  unsigned int flags; /* enum pb_flag */
  struct pb_prefix allowed[PB_MAX_ALLOWED];
};

struct pb_verdict {
  unsigned int action;     /* enum pb_action */
  unsigned int error;      /* errno for PB_REFUSE */
  unsigned int row;        /* enum pb_row: why */
  unsigned int address[4]; /* for PB_CHANGE; IPv4 in [0], or all four words for IPv6 */
};

/* Little- and big-endian machines: the bytes of a network-order word. */
PB_INLINE unsigned int pb_word(unsigned int a, unsigned int b, unsigned int c, unsigned int d) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return a | b << 8 | c << 16 | d << 24;
#else
  return a << 24 | b << 16 | c << 8 | d;
#endif
}

PB_INLINE unsigned int pb_first_byte(unsigned int word) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return word & 0xffU;
#else
  return word >> 24;
#endif
}

PB_INLINE int pb_is_loopback4(unsigned int address) {
  return pb_first_byte(address) == 127;
}
/* 224.0.0.0/4 and 255.255.255.255; a subnet's own broadcast address is just another foreign one. */
PB_INLINE int pb_is_group4(unsigned int address) {
  return (pb_first_byte(address) & 0xf0U) == 0xe0U || address == 0xffffffffU;
}
PB_INLINE int pb_is_any6(const unsigned int address[4]) {
  return (address[0] | address[1] | address[2] | address[3]) == 0;
}
PB_INLINE int pb_is_loopback6(const unsigned int address[4]) {
  return (address[0] | address[1] | address[2]) == 0 && address[3] == pb_word(0, 0, 0, 1);
}
PB_INLINE int pb_is_mapped(const unsigned int address[4]) {
  return (address[0] | address[1]) == 0 && address[2] == pb_word(0, 0, 0xff, 0xff);
}
PB_INLINE int pb_is_group6(const unsigned int address[4]) {
  return pb_first_byte(address[0]) == 0xff;
}
PB_INLINE int pb_same6(const unsigned int a[4], const unsigned int b[4]) {
  return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}
PB_INLINE int pb_has_v6(const struct pb_endpoint* endpoint) {
  return !pb_is_any6(endpoint->v6);
}

PB_INLINE void pb_map(unsigned int out[4], unsigned int v4) {
  out[0] = 0;
  out[1] = 0;
  out[2] = pb_word(0, 0, 0xff, 0xff);
  out[3] = v4;
}

PB_INLINE void pb_set(struct pb_verdict* verdict, unsigned int action, unsigned int error,
                      unsigned int row) {
  verdict->action = action;
  verdict->error = error;
  verdict->row = row;
  verdict->address[0] = 0;
  verdict->address[1] = 0;
  verdict->address[2] = 0;
  verdict->address[3] = 0;
}

/* The setting, applied last to every verdict: strict refuses what rewrite would change, audit lets
 * everything through and keeps the row for the log. */
PB_INLINE void pb_finish(const struct pb_endpoint* endpoint, struct pb_verdict* verdict) {
  if (endpoint->mode == PB_AUDIT) {
    verdict->action = PB_PASS;
    verdict->error = 0;
  } else if (endpoint->mode == PB_STRICT && verdict->action == PB_CHANGE) {
    verdict->action = PB_REFUSE;
    verdict->error = PB_EADDRNOTAVAIL;
  }
}

PB_INLINE int pb_prefix_holds(const struct pb_prefix* prefix, const unsigned int address[4]) {
  unsigned int left = prefix->length;
  unsigned int i = 0;
  if (left == 0 || left > 128) {
    return 0;
  }
  for (i = 0; i < 4; i++) {
    const unsigned int bits = left >= 32 ? 32 : left;
    const unsigned int host = bits == 0 ? 0 : 0xffffffffU << (32 - bits);
    const unsigned int mask =
        pb_word(host >> 24 & 0xffU, host >> 16 & 0xffU, host >> 8 & 0xffU, host & 0xffU);
    if (((prefix->address[i] ^ address[i]) & mask) != 0) {
      return 0;
    }
    left -= bits;
  }
  return 1;
}

PB_INLINE int pb_is_allowed(const struct pb_endpoint* endpoint, const unsigned int address[4]) {
  return pb_prefix_holds(&endpoint->allowed[0], address) ||
         pb_prefix_holds(&endpoint->allowed[1], address) ||
         pb_prefix_holds(&endpoint->allowed[2], address) ||
         pb_prefix_holds(&endpoint->allowed[3], address);
}

/* bind() to an IPv4 address, or to a v4-mapped one: the verdict's address is in [0] either way. */
PB_INLINE void pb_decide_bind4(const struct pb_endpoint* endpoint, unsigned int address,
                               struct pb_verdict* verdict) {
  unsigned int mapped[4];
  if (address == 0) {
    if (endpoint->v4 == 0) {
      pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL, PB_ROW_BIND_ANY4);
    } else {
      pb_set(verdict, PB_CHANGE, 0, PB_ROW_BIND_ANY4);
      verdict->address[0] = endpoint->v4;
    }
    return;
  }
  if (address == endpoint->v4) {
    pb_set(verdict, PB_PASS, 0, PB_ROW_BIND_OWN);
    return;
  }
  if (pb_is_loopback4(address)) {
    if (address == endpoint->alias4) {
      pb_set(verdict, PB_PASS, 0, PB_ROW_BIND_LOOPBACK4);
    } else if (endpoint->alias4 == 0) {
      pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL, PB_ROW_BIND_LOOPBACK4);
    } else {
      pb_set(verdict, PB_CHANGE, 0, PB_ROW_BIND_LOOPBACK4);
      verdict->address[0] = endpoint->alias4;
    }
    return;
  }
  pb_map(mapped, address);
  if (pb_is_allowed(endpoint, mapped)) {
    pb_set(verdict, PB_PASS, 0, PB_ROW_BIND_ALLOWED);
    return;
  }
  pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL,
         pb_is_group4(address) ? PB_ROW_BIND_GROUP : PB_ROW_BIND_OTHER);
}

PB_INLINE void pb_bind4(const struct pb_endpoint* endpoint, unsigned int address,
                        struct pb_verdict* verdict) {
  pb_decide_bind4(endpoint, address, verdict);
  pb_finish(endpoint, verdict);
}

/*
 * bind() on an IPv6 socket. `v6only` is its IPV6_V6ONLY. `::` on a dual-stack socket can become only
 * one address: IPv4 where the endpoint has it, because that is what Go, Java and Node servers listen
 * for when they say "any"; their IPv6 clients need a second, V6ONLY, socket.
 */
PB_INLINE void pb_decide_bind6(const struct pb_endpoint* endpoint, const unsigned int address[4],
                               int v6only, struct pb_verdict* verdict) {
  if (pb_is_any6(address)) {
    const unsigned int row = v6only ? PB_ROW_BIND_ANY6_ONLY : PB_ROW_BIND_ANY6_DUAL;
    if (!v6only && endpoint->v4 != 0) {
      pb_set(verdict, PB_CHANGE, 0, row);
      pb_map(verdict->address, endpoint->v4);
    } else if (pb_has_v6(endpoint)) {
      pb_set(verdict, PB_CHANGE, 0, row);
      verdict->address[0] = endpoint->v6[0];
      verdict->address[1] = endpoint->v6[1];
      verdict->address[2] = endpoint->v6[2];
      verdict->address[3] = endpoint->v6[3];
    } else {
      pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL, row);
    }
    return;
  }
  if (pb_is_mapped(address)) {
    pb_decide_bind4(endpoint, address[3], verdict);
    if (verdict->action == PB_CHANGE) {
      pb_map(verdict->address, verdict->address[0]);
    }
    return;
  }
  if (pb_is_loopback6(address)) {
    /* ::1 lives on the IPv4 alias: every endpoint has one without another address in the kernel. */
    if (v6only || endpoint->alias4 == 0) {
      pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL, PB_ROW_BIND_LOOPBACK6);
    } else {
      pb_set(verdict, PB_CHANGE, 0, PB_ROW_BIND_LOOPBACK6);
      pb_map(verdict->address, endpoint->alias4);
    }
    return;
  }
  if (pb_has_v6(endpoint) && pb_same6(address, endpoint->v6)) {
    pb_set(verdict, PB_PASS, 0, PB_ROW_BIND_OWN);
    return;
  }
  if (pb_is_allowed(endpoint, address)) {
    pb_set(verdict, PB_PASS, 0, PB_ROW_BIND_ALLOWED);
    return;
  }
  pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL,
         pb_is_group6(address) ? PB_ROW_BIND_GROUP : PB_ROW_BIND_OTHER);
}

PB_INLINE void pb_bind6(const struct pb_endpoint* endpoint, const unsigned int address[4],
                        int v6only, struct pb_verdict* verdict) {
  pb_decide_bind6(endpoint, address, v6only, verdict);
  pb_finish(endpoint, verdict);
}

/*
 * Where connect() and sendto() to `address` go. PB_CHANGE: to the endpoint's loopback alias, or to its
 * own address when nothing listens on the alias, as a server on "any" is there. PB_PASS: as it is.
 * 0.0.0.0 and :: mean this host to the kernel, so they are loopback here.
 */
PB_INLINE void pb_to4(const struct pb_endpoint* endpoint, unsigned int address,
                      struct pb_verdict* verdict) {
  if (address != 0 && !pb_is_loopback4(address)) {
    pb_set(verdict, PB_PASS, 0, PB_ROW_NONE);
    return;
  }
  if (endpoint->alias4 == 0) {
    pb_set(verdict, PB_REFUSE, PB_ENETUNREACH, PB_ROW_TO_LOOPBACK);
  } else {
    pb_set(verdict, PB_CHANGE, 0, PB_ROW_TO_LOOPBACK);
    verdict->address[0] = endpoint->alias4;
  }
  pb_finish(endpoint, verdict);
}

PB_INLINE void pb_to6(const struct pb_endpoint* endpoint, const unsigned int address[4],
                      struct pb_verdict* verdict) {
  if (pb_is_any6(address) || pb_is_loopback6(address)) {
    pb_to4(endpoint, 0, verdict);
  } else if (pb_is_mapped(address)) {
    pb_to4(endpoint, address[3], verdict);
  } else {
    pb_set(verdict, PB_PASS, 0, PB_ROW_NONE);
  }
  if (verdict->action == PB_CHANGE) {
    pb_map(verdict->address, verdict->address[0]);
  }
}

/*
 * The source of what a socket sends to an address that is not loopback. `bound` is what the socket is
 * bound to now, 0 for nothing: then PB_CHANGE says what to bind it to first.
 */
PB_INLINE void pb_source4(const struct pb_endpoint* endpoint, unsigned int bound,
                          struct pb_verdict* verdict) {
  unsigned int mapped[4];
  pb_map(mapped, bound);
  if (bound == 0 && endpoint->v4 != 0) {
    pb_set(verdict, PB_CHANGE, 0, PB_ROW_SOURCE);
    verdict->address[0] = endpoint->v4;
  } else if (bound == 0) {
    pb_set(verdict, PB_REFUSE, PB_ENETUNREACH, PB_ROW_SOURCE_MISSING);
  } else if (bound == endpoint->v4 || pb_is_loopback4(bound)) {
    /* From loopback to elsewhere: the kernel itself refuses that route. */
    pb_set(verdict, PB_PASS, 0, PB_ROW_BIND_OWN);
  } else if (pb_is_allowed(endpoint, mapped) && endpoint->v4 != 0) {
    /* Bound to a group: the kernel would choose the source. */
    pb_set(verdict, PB_CHANGE, 0, PB_ROW_SOURCE);
    verdict->address[0] = endpoint->v4;
  } else {
    pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL, PB_ROW_SOURCE_FOREIGN);
  }
  pb_finish(endpoint, verdict);
}

PB_INLINE void pb_source6(const struct pb_endpoint* endpoint, const unsigned int bound[4],
                          struct pb_verdict* verdict) {
  const int unbound = pb_is_any6(bound) || (pb_is_group6(bound) && pb_is_allowed(endpoint, bound));
  if (unbound && pb_has_v6(endpoint)) {
    pb_set(verdict, PB_CHANGE, 0, PB_ROW_SOURCE);
    verdict->address[0] = endpoint->v6[0];
    verdict->address[1] = endpoint->v6[1];
    verdict->address[2] = endpoint->v6[2];
    verdict->address[3] = endpoint->v6[3];
  } else if (unbound) {
    pb_set(verdict, PB_REFUSE, PB_ENETUNREACH, PB_ROW_SOURCE_MISSING);
  } else if (pb_has_v6(endpoint) && pb_same6(bound, endpoint->v6)) {
    pb_set(verdict, PB_PASS, 0, PB_ROW_BIND_OWN);
  } else {
    pb_set(verdict, PB_REFUSE, PB_EADDRNOTAVAIL, PB_ROW_SOURCE_FOREIGN);
  }
  pb_finish(endpoint, verdict);
}

/* What getsockname(), getpeername() and recvfrom() show: the alias is 127.0.0.1 to its endpoint.
 * Returns whether the address is to be replaced by loopback. */
PB_INLINE int pb_shows_loopback4(const struct pb_endpoint* endpoint, unsigned int address) {
  return endpoint->mode != PB_AUDIT && endpoint->alias4 != 0 && address == endpoint->alias4;
}
PB_INLINE int pb_shows_loopback6(const struct pb_endpoint* endpoint,
                                 const unsigned int address[4]) {
  return pb_is_mapped(address) && pb_shows_loopback4(endpoint, address[3]);
}

/* Sockets that see or send other endpoints' packets: raw, packet and ping sockets. The numbers are
 * Linux's: SOCK_DGRAM 2, SOCK_RAW 3, SOCK_PACKET 10; AF_INET 2, AF_INET6 10, AF_PACKET 17, AF_XDP 44. */
PB_INLINE void pb_create(const struct pb_endpoint* endpoint, unsigned int family, unsigned int type,
                         unsigned int protocol, struct pb_verdict* verdict) {
  const int inet = family == 2 || family == 10;
  const int raw = inet && (type == 3 || type == 10);
  const int ping = inet && type == 2 && (protocol == 1 || protocol == 58);
  const int packet = family == 17 || family == 44;
  if ((raw || ping || packet) && (endpoint->flags & PB_ALLOW_RAW) == 0) {
    pb_set(verdict, PB_REFUSE, PB_EPERM, PB_ROW_RAW);
  } else {
    pb_set(verdict, PB_PASS, 0, PB_ROW_NONE);
  }
  pb_finish(endpoint, verdict);
}

/* The loopback alias of endpoint number `index` of its pool: 127.0.0.2 upwards, so that 127.0.0.1
 * itself belongs to nobody. 0 beyond 127.255.255.254. */
PB_INLINE unsigned int pb_alias4(unsigned long long index) {
  const unsigned int low = (index & 0xffffffU) + 2;
  if (index > 0xfffffcU) {
    return 0;
  }
  return pb_word(127, low >> 16 & 0xffU, low >> 8 & 0xffU, low & 0xffU);
}

#endif
/* NOLINTEND */
