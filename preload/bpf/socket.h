/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What sockets there may be, and listening on one that was never bound. */
/* NOLINTBEGIN: C for eBPF; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_SOCKET_H
#define PARTICLE_BPF_SOCKET_H

#include "endpoint.h"

// The transports whose bind, connect and sendmsg pass the hooks. UDP-Lite's connect, SCTP's bind and
// whatever comes next do not: refused, since they could not be kept to an address.
static int is_hooked(struct bpf_sock* sk) {
  if (sk->type == SOCK_STREAM) {
    return sk->protocol == IPPROTO_TCP || sk->protocol == IPPROTO_MPTCP;
  }
  return sk->type == SOCK_DGRAM ? sk->protocol == IPPROTO_UDP || sk->protocol == IPPROTO_ICMP ||
                                      sk->protocol == IPPROTO_ICMPV6
                                : sk->type == SOCK_RAW;
}

SEC("cgroup/sock_create")
int on_sock_create(struct bpf_sock* sk) {
  struct pb_endpoint* endpoint = 0;
  struct pb_verdict verdict;
  if (sk->type == SOCK_STREAM && sk->protocol == IPPROTO_TCP) {
    return ALLOWED;  // what nearly every socket is, whoever has it: bind, connect and listen judge it
  }
  endpoint = current_endpoint();
  if (!endpoint) {
    return REFUSED;
  }
  pb_create(endpoint, sk->family, sk->type, sk->protocol, &verdict);
  if (endpoint->mode == PB_AUDIT) {
    if (verdict.row == PB_ROW_RAW || !is_hooked(sk)) {
      report(PB_OP_SOCKET, verdict.row == PB_ROW_RAW ? PB_ROW_RAW : PB_ROW_PROTOCOL, sk->family, 0,
             0);
    }
    return ALLOWED;
  }
  return verdict.action != PB_REFUSE && is_hooked(sk) ? ALLOWED : REFUSED;
}

// listen() on a socket that was never bound takes 0.0.0.0 past every bind hook. Here it is too late to
// bind it or to refuse the call, but not to cut it off: a device that cannot exist matches no packet,
// and its port no sibling's.
SEC("sockops")
int on_listen(struct bpf_sock_ops* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct bpf_sock* sk = ctx->sk;
  int nowhere = 0x7fffffff;
  if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB || !sk) {
    return ALLOWED;
  }
  if (ctx->family == AF_INET
          ? ctx->local_ip4 != 0
          : (ctx->local_ip6[0] | ctx->local_ip6[1] | ctx->local_ip6[2] | ctx->local_ip6[3]) != 0) {
    return ALLOWED;
  }
  if (endpoint && endpoint->mode == PB_AUDIT) {
    return ALLOWED;
  }
  bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTOIFINDEX, &nowhere, sizeof(nowhere));
  return ALLOWED;
}

#endif
/* NOLINTEND */
