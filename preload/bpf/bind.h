/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* bind, before and after the kernel has done it. */
/* NOLINTBEGIN: C for eBPF; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_BIND_H
#define PARTICLE_BPF_BIND_H

#include "endpoint.h"

SEC("cgroup/bind4")
int on_bind4(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  if (!endpoint) {
    return refuse(PB_EPERM);
  }
  pb_bind4(endpoint, ctx->user_ip4, &verdict);
  report4(endpoint, ctx, PB_OP_BIND, verdict.row);
  if (verdict.action == PB_REFUSE) {
    return refuse((int)verdict.error);
  }
  if (verdict.action == PB_CHANGE) {
    ctx->user_ip4 = verdict.address[0];
  }
  return ALLOWED;
}

SEC("cgroup/bind6")
int on_bind6(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  __u32 address[4];
  if (!endpoint) {
    return refuse(PB_EPERM);
  }
  load6(ctx, address);
  pb_bind6(endpoint, address, is_v6only(ctx), &verdict);
  report6(endpoint, ctx, PB_OP_BIND, verdict.row);
  if (verdict.action == PB_REFUSE) {
    return refuse((int)verdict.error);
  }
  if (verdict.action == PB_CHANGE) {
    store6(ctx, verdict.address);
  }
  return ALLOWED;
}

// After the kernel has bound the socket, whichever way it got there: is the address one of ours?
SEC("cgroup/post_bind4")
int after_bind4(struct bpf_sock* sk) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  if (!endpoint) {
    return REFUSED;
  }
  if (sk->src_ip4 == endpoint->v4 && endpoint->v4 != 0) {
    return ALLOWED;  // what nearly every bind comes to
  }
  pb_bind4(endpoint, sk->src_ip4, &verdict);
  return verdict.action == PB_PASS ? ALLOWED : REFUSED;
}

SEC("cgroup/post_bind6")
int after_bind6(struct bpf_sock* sk) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  __u32 address[4] = {sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3]};
  if (!endpoint) {
    return REFUSED;
  }
  pb_bind6(endpoint, address, 0, &verdict);
  return verdict.action == PB_PASS ? ALLOWED : REFUSED;
}

#endif
/* NOLINTEND */
