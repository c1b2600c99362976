/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the programs need of the kernel beyond <linux/bpf.h>. */
/* NOLINTBEGIN: C for eBPF; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_KERNEL_H
#define PARTICLE_BPF_KERNEL_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ICMPV6 58
#define IPPROTO_MPTCP 262
#define SOL_SOCKET 1
#define SO_BINDTOIFINDEX 62
#define REFUSED 0
#define ALLOWED 1

// The only kernel fields read beyond the stable context: a socket's IPV6_V6ONLY.
struct sock_common {
  unsigned char skc_ipv6only : 1;
} __attribute__((preserve_access_index));
struct sock {
  struct sock_common __sk_common;
} __attribute__((preserve_access_index));

// IPV6_V6ONLY of the context's socket; yes where it cannot be told, which is the narrower reading.
static int is_v6only(struct bpf_sock_addr* ctx) {
  struct bpf_sock* sk = ctx->sk;
  struct sock* full = 0;
  if (!sk) {
    return 1;
  }
  if (ctx->type == SOCK_STREAM) {
    full = (struct sock*)bpf_skc_to_tcp6_sock(sk);
  } else {
    full = (struct sock*)bpf_skc_to_udp6_sock(sk);
  }
  if (!full) {
    return 1;
  }
  return BPF_CORE_READ_BITFIELD(full, __sk_common.skc_ipv6only);
}

static void load6(struct bpf_sock_addr* ctx, __u32 out[4]) {
  out[0] = ctx->user_ip6[0];
  out[1] = ctx->user_ip6[1];
  out[2] = ctx->user_ip6[2];
  out[3] = ctx->user_ip6[3];
}

static void store6(struct bpf_sock_addr* ctx, const __u32 in[4]) {
  ctx->user_ip6[0] = in[0];
  ctx->user_ip6[1] = in[1];
  ctx->user_ip6[2] = in[2];
  ctx->user_ip6[3] = in[3];
}

static int refuse(int error) {
  bpf_set_retval(-error);
  return REFUSED;
}

#endif
/* NOLINTEND */
