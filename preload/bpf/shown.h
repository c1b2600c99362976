/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What programs are shown of addresses. */
/* NOLINTBEGIN: C for eBPF; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_SHOWN_H
#define PARTICLE_BPF_SHOWN_H

#include "endpoint.h"

static int show4(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  if (endpoint && pb_shows_loopback4(endpoint, ctx->user_ip4)) {
    ctx->user_ip4 = bpf_htonl(0x7f000001);
  }
  return ALLOWED;
}

static int show6(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  __u32 address[4];
  load6(ctx, address);
  if (endpoint && pb_shows_loopback6(endpoint, address)) {
    ctx->user_ip6[0] = 0;
    ctx->user_ip6[1] = 0;
    ctx->user_ip6[2] = 0;
    ctx->user_ip6[3] = bpf_htonl(1);
  }
  return ALLOWED;
}

SEC("cgroup/recvmsg4")
int on_recvmsg4(struct bpf_sock_addr* ctx) {
  return show4(ctx);
}
SEC("cgroup/recvmsg6")
int on_recvmsg6(struct bpf_sock_addr* ctx) {
  return show6(ctx);
}
SEC("cgroup/getsockname4")
int on_getsockname4(struct bpf_sock_addr* ctx) {
  return show4(ctx);
}
SEC("cgroup/getsockname6")
int on_getsockname6(struct bpf_sock_addr* ctx) {
  return show6(ctx);
}
SEC("cgroup/getpeername4")
int on_getpeername4(struct bpf_sock_addr* ctx) {
  return show4(ctx);
}
SEC("cgroup/getpeername6")
int on_getpeername6(struct bpf_sock_addr* ctx) {
  return show6(ctx);
}

#endif
/* NOLINTEND */
