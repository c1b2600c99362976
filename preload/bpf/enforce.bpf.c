// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The bind enforcer's strongest mechanism: the policy inside the kernel, at the cgroup hooks of bind,
// connect, sendmsg and their siblings. Attached once per node to the cgroup that holds the endpoints'
// cgroups; a map tells which of those is which endpoint. Nothing here needs kprobes or fentry.
//
// A process below the node's cgroup whose endpoint is not in the map is refused everything: what broke
// never lets a bind through.
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../policy/policy.h"
#include "events.h"

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

// How deep the node's cgroup is in the hierarchy: an endpoint's own is one below.
const volatile unsigned int endpoint_level = 1;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);  // cgroup id
  __type(value, struct pb_endpoint);
} endpoints SEC(".maps");

// Threads of the agent (pid_tgid) -> the endpoint they act for. They are outside its cgroup.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, __u64);
} agents SEC(".maps");

// Decisions worth a line, one ring per endpoint that asked for them: whoever runs it reads it.
struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __array(
      values, struct {
        __uint(type, BPF_MAP_TYPE_RINGBUF);
        __uint(max_entries, PB_RING_BYTES);
      });
} logs SEC(".maps");

// What a socket was made under: BPF_SOCK_OPS_TCP_LISTEN_CB cannot ask for the current cgroup.
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u32);
} modes SEC(".maps");

static __u64 endpoint_id(void) {
  return bpf_get_current_ancestor_cgroup_id((int)endpoint_level);
}

// The endpoint that a thread of the agent acts for just now, on a duplicate of its socket.
static __attribute__((noinline)) struct pb_endpoint* helped_endpoint(void) {
  const __u64 thread = bpf_get_current_pid_tgid();
  const __u64* id = bpf_map_lookup_elem(&agents, &thread);
  return id ? bpf_map_lookup_elem(&endpoints, id) : 0;
}

static struct pb_endpoint* current_endpoint(void) {
  const __u64 id = endpoint_id();
  struct pb_endpoint* endpoint = bpf_map_lookup_elem(&endpoints, &id);
  return endpoint ? endpoint : helped_endpoint();
}

static int refuse(int error) {
  bpf_set_retval(-error);
  return REFUSED;
}

// By parts and not as a struct: a verdict on the stack plus an event would be copied twice.
static __attribute__((noinline)) int report(__u32 operation, __u32 row, __u32 family,
                                            __u32 address[4], __u32 port) {
  const __u64 id = endpoint_id();
  void* log = bpf_map_lookup_elem(&logs, &id);
  struct pb_event* event = 0;
  if (!log) {
    return 0;
  }
  event = bpf_ringbuf_reserve(log, sizeof(*event), 0);
  if (!event) {
    return 0;  // a full log loses lines, never a verdict
  }
  event->operation = operation;
  event->row = row;
  event->family = family;
  event->port = port;
  event->pid = (__u32)(bpf_get_current_pid_tgid() >> 32);
  if (address) {
    event->address[0] = address[0];
    event->address[1] = address[1];
    event->address[2] = address[2];
    event->address[3] = address[3];
  }
  bpf_get_current_comm(event->command, sizeof(event->command));
  bpf_ringbuf_submit(event, 0);
  return 0;
}

static void report4(struct bpf_sock_addr* ctx, __u32 operation, __u32 row) {
  __u32 address[4] = {ctx->user_ip4, 0, 0, 0};
  report(operation, row, AF_INET, address, ctx->user_port);
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

static void report6(struct bpf_sock_addr* ctx, __u32 operation, __u32 row) {
  __u32 address[4];
  load6(ctx, address);
  report(operation, row, AF_INET6, address, ctx->user_port);
}

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

// ---- bind -------------------------------------------------------------------------------------

SEC("cgroup/bind4")
int on_bind4(struct bpf_sock_addr* ctx) {
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  if (!endpoint) {
    return refuse(PB_EPERM);
  }
  pb_bind4(endpoint, ctx->user_ip4, &verdict);
  if (verdict.row != PB_ROW_BIND_OWN) {
    report4(ctx, PB_OP_BIND, verdict.row);
  }
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
  if (verdict.row != PB_ROW_BIND_OWN) {
    report6(ctx, PB_OP_BIND, verdict.row);
  }
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

// ---- where to ---------------------------------------------------------------------------------

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
  if (verdict.row != PB_ROW_BIND_OWN) {
    report4(ctx, PB_OP_CONNECT, verdict.row);
  }
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
    report4(ctx, PB_OP_CONNECT, verdict.row);
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
  if (verdict.row != PB_ROW_BIND_OWN) {
    report6(ctx, PB_OP_CONNECT, verdict.row);
  }
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
    report6(ctx, PB_OP_CONNECT, verdict.row);
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

// ---- datagrams without connect ----------------------------------------------------------------

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
    report4(ctx, PB_OP_SEND, verdict.row);
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
  if (verdict.row != PB_ROW_BIND_OWN) {
    report4(ctx, PB_OP_SEND, verdict.row);
  }
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
    report6(ctx, PB_OP_SEND, verdict.row);
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
  if (verdict.row != PB_ROW_BIND_OWN) {
    report6(ctx, PB_OP_SEND, verdict.row);
  }
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

// ---- what programs are shown ------------------------------------------------------------------

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

// ---- sockets ----------------------------------------------------------------------------------

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
  struct pb_endpoint* endpoint = current_endpoint();
  struct pb_verdict verdict;
  __u32* mode = 0;
  if (!endpoint) {
    return REFUSED;
  }
  pb_create(endpoint, sk->family, sk->type, sk->protocol, &verdict);
  if (verdict.row == PB_ROW_RAW) {
    report(PB_OP_SOCKET, verdict.row, sk->family, 0, 0);
  }
  if (verdict.action == PB_REFUSE) {
    return REFUSED;
  }
  if (!is_hooked(sk)) {
    report(PB_OP_SOCKET, PB_ROW_PROTOCOL, sk->family, 0, 0);
    if (endpoint->mode != PB_AUDIT) {
      return REFUSED;
    }
  }
  if (endpoint->mode == PB_AUDIT) {
    mode = bpf_sk_storage_get(&modes, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (mode) {
      *mode = PB_AUDIT;
    }
  }
  return ALLOWED;
}

// listen() on a socket that was never bound takes 0.0.0.0 past every bind hook. Here it is too late to
// bind it or to refuse the call, but not to cut it off: a device that cannot exist matches no packet,
// and its port no sibling's.
SEC("sockops")
int on_listen(struct bpf_sock_ops* ctx) {
  struct bpf_sock* sk = ctx->sk;
  int nowhere = 0x7fffffff;
  __u32* mode = 0;
  if (ctx->op != BPF_SOCK_OPS_TCP_LISTEN_CB || !sk) {
    return ALLOWED;
  }
  if (ctx->family == AF_INET
          ? ctx->local_ip4 != 0
          : (ctx->local_ip6[0] | ctx->local_ip6[1] | ctx->local_ip6[2] | ctx->local_ip6[3]) != 0) {
    return ALLOWED;
  }
  mode = bpf_sk_storage_get(&modes, sk, 0, 0);
  if (mode && *mode == PB_AUDIT) {
    return ALLOWED;
  }
  bpf_setsockopt(ctx, SOL_SOCKET, SO_BINDTOIFINDEX, &nowhere, sizeof(nowhere));
  return ALLOWED;
}

char LICENSE[] SEC("license") = "GPL";
