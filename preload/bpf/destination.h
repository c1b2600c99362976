/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* connect: where to, and from where. */
/* NOLINTBEGIN: C for eBPF; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_DESTINATION_H
#define PARTICLE_BPF_DESTINATION_H

#include "endpoint.h"

// Does a socket of this namespace, bound to exactly `address`, take what is sent to `port`?
static int serves4(struct bpf_sock_addr* ctx, __u32 address) {
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock* found = 0;
  int exact = 0;
  tuple.ipv4.saddr = bpf_htonl(0x7f000001);
  tuple.ipv4.daddr = address;
  tuple.ipv4.dport = (__be16)ctx->user_port;
  if (ctx->type == SOCK_STREAM) {
    found = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
  } else {
    found = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
  }
  if (!found) {
    return 0;
  }
  exact = found->src_ip4 == address;
  bpf_sk_release(found);
  return exact;
}

static int serves6(struct bpf_sock_addr* ctx, const __u32 address[4]) {
  struct bpf_sock_tuple tuple = {};
  struct bpf_sock* found = 0;
  int exact = 0;
  tuple.ipv6.saddr[3] = bpf_htonl(1);
  tuple.ipv6.daddr[0] = address[0];
  tuple.ipv6.daddr[1] = address[1];
  tuple.ipv6.daddr[2] = address[2];
  tuple.ipv6.daddr[3] = address[3];
  tuple.ipv6.dport = (__be16)ctx->user_port;
  if (ctx->type == SOCK_STREAM) {
    found = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
  } else {
    found = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
  }
  if (!found) {
    return 0;
  }
  exact = found->src_ip6[3] == address[3] && found->src_ip6[0] == address[0];
  bpf_sk_release(found);
  return exact;
}

// 127.0.0.1 of an endpoint is its alias; a server on "any" is at the endpoint's own address instead.
static __u32 loopback4(struct bpf_sock_addr* ctx, struct pb_endpoint* endpoint) {
  if (endpoint->v4 != 0 && !serves4(ctx, endpoint->alias4) && serves4(ctx, endpoint->v4)) {
    return endpoint->v4;
  }
  return endpoint->alias4;
}

static int bind_source4(struct bpf_sock_addr* ctx, __u32 source) {
  struct sockaddr_in {
    __u16 family;
    __u16 port;
    __u32 address;
    __u64 zero;
  } name = {.family = AF_INET, .address = source};
  return bpf_bind(ctx, (struct sockaddr*)&name, sizeof(name));
}

static int bind_source6(struct bpf_sock_addr* ctx, const __u32 source[4]) {
  struct sockaddr_in6 {
    __u16 family;
    __u16 port;
    __u32 flow;
    __u32 address[4];
    __u32 scope;
  } name = {.family = AF_INET6, .address = {source[0], source[1], source[2], source[3]}};
  return bpf_bind(ctx, (struct sockaddr*)&name, sizeof(name));
}

// Gives the socket its source, or says why not. A socket that already has a port but no address, as
// one that sent a datagram before it was connected, can no longer be given one: the kernel would send
// from the pool's primary address.
static int connect_from4(struct bpf_sock_addr* ctx, struct pb_endpoint* endpoint) {
  struct pb_verdict verdict;
  int failed = 0;
  if (!ctx->sk) {
    return refuse(PB_EPERM);
  }
  pb_source4(endpoint, ctx->sk->src_ip4, &verdict);
  if (verdict.action == PB_CHANGE) {
    if (ctx->family == AF_INET6) {
      __u32 mapped[4];
      pb_map(mapped, verdict.address[0]);
      failed = bind_source6(ctx, mapped);
    } else {
      failed = bind_source4(ctx, verdict.address[0]);
    }
    if (failed != 0 && ctx->sk->src_ip4 == 0) {
      verdict.action = PB_REFUSE;
      verdict.error = PB_EADDRNOTAVAIL;
      verdict.row = PB_ROW_SOURCE_FOREIGN;
    }
  }
  report4(endpoint, ctx, PB_OP_CONNECT, verdict.row);
  return verdict.action == PB_REFUSE ? refuse((int)verdict.error) : ALLOWED;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  __u32 to = 0;
  if (!endpoint) {
    return refuse(PB_EPERM);
  }
  pb_to4(endpoint, ctx->user_ip4, &verdict);
  if (verdict.row == PB_ROW_TO_LOOPBACK) {
    report4(endpoint, ctx, PB_OP_CONNECT, verdict.row);
  }
  if (verdict.action == PB_REFUSE) {
    return refuse((int)verdict.error);
  }
  if (verdict.action == PB_CHANGE) {
    to = loopback4(ctx, endpoint);
    ctx->user_ip4 = to;
    if (to != endpoint->v4) {
      return ALLOWED;  // an unbound socket gets 127.0.0.1 from the kernel, as it should
    }
  } else if (verdict.row == PB_ROW_TO_LOOPBACK) {
    return ALLOWED;  // audit
  }
  return connect_from4(ctx, endpoint);
}

static int connect_from6(struct bpf_sock_addr* ctx, struct pb_endpoint* endpoint, int mapped) {
  struct pb_verdict verdict;
  __u32 bound[4];
  struct bpf_sock* sk = ctx->sk;
  int failed = 0;
  if (!sk) {
    return refuse(PB_EPERM);
  }
  bound[0] = sk->src_ip6[0];
  bound[1] = sk->src_ip6[1];
  bound[2] = sk->src_ip6[2];
  bound[3] = sk->src_ip6[3];
  if (mapped) {
    const int unbound = pb_is_any6(bound);
    if (!unbound && !pb_is_mapped(bound)) {
      return ALLOWED;  // bound to IPv6, sending to IPv4: the kernel refuses that itself
    }
    pb_source4(endpoint, unbound ? 0 : bound[3], &verdict);
    if (verdict.action == PB_CHANGE) {
      pb_map(verdict.address, verdict.address[0]);
    }
  } else {
    if (pb_is_mapped(bound)) {
      return ALLOWED;  // the other way round: the kernel has no such route
    }
    pb_source6(endpoint, bound, &verdict);
  }
  if (verdict.action == PB_CHANGE) {
    failed = bind_source6(ctx, verdict.address);
    if (failed != 0 && (sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3]) == 0) {
      verdict.action = PB_REFUSE;
      verdict.error = PB_EADDRNOTAVAIL;
      verdict.row = PB_ROW_SOURCE_FOREIGN;
    }
  }
  report6(endpoint, ctx, PB_OP_CONNECT, verdict.row);
  return verdict.action == PB_REFUSE ? refuse((int)verdict.error) : ALLOWED;
}

// Rewrites the destination of an IPv6 socket that means loopback. Returns whether it is IPv4 now.
static void loopback6(struct bpf_sock_addr* ctx, struct pb_endpoint* endpoint) {
  __u32 to[4];
  if (!serves4(ctx, endpoint->alias4)) {
    if (endpoint->v4 != 0 && serves4(ctx, endpoint->v4)) {
      pb_map(to, endpoint->v4);
      store6(ctx, to);
      return;
    }
    if (pb_has_v6(endpoint) && serves6(ctx, endpoint->v6)) {
      store6(ctx, endpoint->v6);
      return;
    }
  }
  pb_map(to, endpoint->alias4);
  store6(ctx, to);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  __u32 to[4];
  if (!endpoint) {
    return refuse(PB_EPERM);
  }
  load6(ctx, to);
  pb_to6(endpoint, to, &verdict);
  if (verdict.row == PB_ROW_TO_LOOPBACK) {
    report6(endpoint, ctx, PB_OP_CONNECT, verdict.row);
  }
  if (verdict.action == PB_REFUSE) {
    return refuse((int)verdict.error);
  }
  if (verdict.action == PB_CHANGE) {
    loopback6(ctx, endpoint);
    load6(ctx, to);
    if (pb_is_mapped(to) && to[3] == endpoint->alias4) {
      return ALLOWED;
    }
  } else if (verdict.row == PB_ROW_TO_LOOPBACK) {
    return ALLOWED;  // audit
  }
  return connect_from6(ctx, endpoint, pb_is_mapped(to));
}

#endif
/* NOLINTEND */
