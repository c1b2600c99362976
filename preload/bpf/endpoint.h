/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Whose socket it is, and what is said about it. */
/* NOLINTBEGIN: C for eBPF; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_ENDPOINT_H
#define PARTICLE_BPF_ENDPOINT_H

#include "events.h"
#include "kernel.h"
#include "state.h"

// The endpoint of a control group. The kernel hands a program the storage of the group that it was
// attached to, which costs no look-up: 20 ns less at every hook than a hash map keyed by the id of the current group.
struct {
  __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
  __type(key, __u64);  // cgroup id: one value for all hooks of a group
  __type(value, struct pb_state);
} endpoints SEC(".maps");

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

// The endpoint whose socket this is: that of the group that the socket was made in, whoever holds it
// now. Null in a group that is none: its sockets are refused everything.
static __attribute__((always_inline)) struct pb_endpoint* current_endpoint(void) {
  struct pb_state* state = bpf_get_local_storage(&endpoints, 0);
  return state->ready ? &state->endpoint : 0;
}

// By parts and not as a struct: a verdict on the stack plus an event would be copied twice.
static __attribute__((noinline)) int report(__u32 operation, __u32 row, __u32 family,
                                            __u32 address[4], __u32 port) {
  struct pb_state* state = bpf_get_local_storage(&endpoints, 0);
  const __u64 id = state->id;
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

// Only an audited endpoint has a log.
static void report4(const struct pb_endpoint* endpoint, struct bpf_sock_addr* ctx, __u32 operation,
                    __u32 row) {
  __u32 address[4] = {ctx->user_ip4, 0, 0, 0};
  if (endpoint->mode == PB_AUDIT && row != PB_ROW_BIND_OWN) {
    report(operation, row, AF_INET, address, ctx->user_port);
  }
}

static void report6(const struct pb_endpoint* endpoint, struct bpf_sock_addr* ctx, __u32 operation,
                    __u32 row) {
  __u32 address[4];
  if (endpoint->mode == PB_AUDIT && row != PB_ROW_BIND_OWN) {
    load6(ctx, address);
    report(operation, row, AF_INET6, address, ctx->user_port);
  }
}

#endif
/* NOLINTEND */
