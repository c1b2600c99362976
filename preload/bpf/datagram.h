/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Datagrams without connect. */
/* NOLINTBEGIN: C for eBPF; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_DATAGRAM_H
#define PARTICLE_BPF_DATAGRAM_H

#include "destination.h"

SEC("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  __u32 bound = 0;
  if (!endpoint || !ctx->sk) {
    return refuse(PB_EPERM);
  }
  bound = ctx->sk->src_ip4;
  pb_to4(endpoint, ctx->user_ip4, &verdict);
  if (verdict.row == PB_ROW_TO_LOOPBACK && verdict.action != PB_CHANGE) {
    report4(endpoint, ctx, PB_OP_SEND, verdict.row);
    return verdict.action == PB_REFUSE ? refuse((int)verdict.error) : ALLOWED;
  }
  if (verdict.action == PB_CHANGE) {
    const __u32 to = loopback4(ctx, endpoint);
    ctx->user_ip4 = to;
    if (to != endpoint->v4) {
      // Whatever IP_PKTINFO asked for: from where the socket is bound, or from 127.0.0.1.
      ctx->msg_src_ip4 = bound != 0 ? bound : bpf_htonl(0x7f000001);
      return ALLOWED;
    }
  }
  pb_source4(endpoint, bound, &verdict);
  report4(endpoint, ctx, PB_OP_SEND, verdict.row);
  if (verdict.action == PB_REFUSE) {
    return refuse((int)verdict.error);
  }
  if (endpoint->mode != PB_AUDIT) {
    ctx->msg_src_ip4 = verdict.action == PB_CHANGE ? verdict.address[0] : bound;
  }
  return ALLOWED;
}

SEC("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  struct bpf_sock* sk = ctx->sk;
  __u32 bound[4];
  __u32 to[4];
  if (!endpoint || !sk) {
    return refuse(PB_EPERM);
  }
  load6(ctx, to);
  bound[0] = sk->src_ip6[0];
  bound[1] = sk->src_ip6[1];
  bound[2] = sk->src_ip6[2];
  bound[3] = sk->src_ip6[3];
  pb_to6(endpoint, to, &verdict);
  if (verdict.row == PB_ROW_TO_LOOPBACK && verdict.action != PB_CHANGE) {
    report6(endpoint, ctx, PB_OP_SEND, verdict.row);
    return verdict.action == PB_REFUSE ? refuse((int)verdict.error) : ALLOWED;
  }
  if (verdict.action == PB_CHANGE) {
    // The kernel cannot turn an IPv6 datagram into an IPv4 one at this point (it answers ENOTSUPP).
    // ::1 of an unconnected IPv6 socket is the endpoint's own IPv6 address.
    if (!pb_has_v6(endpoint)) {
      return refuse(PB_ENETUNREACH);
    }
    store6(ctx, endpoint->v6);
  }
  pb_source6(endpoint, bound, &verdict);
  report6(endpoint, ctx, PB_OP_SEND, verdict.row);
  if (verdict.action == PB_REFUSE) {
    return refuse((int)verdict.error);
  }
  if (endpoint->mode != PB_AUDIT) {
    ctx->msg_src_ip6[0] = endpoint->v6[0];
    ctx->msg_src_ip6[1] = endpoint->v6[1];
    ctx->msg_src_ip6[2] = endpoint->v6[2];
    ctx->msg_src_ip6[3] = endpoint->v6[3];
  }
  return ALLOWED;
}

#endif
/* NOLINTEND */
