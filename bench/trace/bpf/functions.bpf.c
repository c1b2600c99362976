// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Exact calls and times of a few kernel functions, where the kernel has fentry or kprobes. The reader
// chooses the way, and the functions' names, which differ between kernels.
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shared.h"

// The map of trace.bpf.c: the reader makes both objects use one.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);  // thread id in the initial pid namespace
  __type(value, struct pt_task);
} tasks SEC(".maps");

struct call {
  int pid;
  unsigned int function;
};

// Calls that have not returned.
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, struct call);
  __type(value, unsigned long long);
} calls SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, PT_FUNCTIONS);
  __type(key, unsigned int);
  __type(value, struct pt_time);
} functions SEC(".maps");

static int enter(unsigned int function) {
  struct call call = {(int)bpf_get_current_pid_tgid(), function};
  if (!bpf_map_lookup_elem(&tasks, &call.pid)) return 0;
  const unsigned long long now = bpf_ktime_get_ns();
  // A function within itself is one call.
  bpf_map_update_elem(&calls, &call, &now, BPF_NOEXIST);
  return 0;
}

static int leave(unsigned int function) {
  struct call call = {(int)bpf_get_current_pid_tgid(), function};
  const unsigned long long* since = bpf_map_lookup_elem(&calls, &call);
  if (!since) return 0;
  const unsigned long long ns = bpf_ktime_get_ns() - *since;
  bpf_map_delete_elem(&calls, &call);
  struct pt_time* time = bpf_map_lookup_elem(&functions, &function);
  if (!time) return 0;
  __sync_fetch_and_add(&time->ns, ns);
  __sync_fetch_and_add(&time->hits, 1);
  return 0;
}

// Each function needs programs of its own: their number says which function it is.
#define FUNCTION(number)                                      \
  SEC("fentry") int BPF_PROG(enter_##number) {                \
    return enter(number);                                     \
  }                                                           \
  SEC("fexit") int BPF_PROG(leave_##number) {                 \
    return leave(number);                                     \
  }                                                           \
  SEC("kprobe") int BPF_KPROBE(kprobe_enter_##number) {       \
    return enter(number);                                     \
  }                                                           \
  SEC("kretprobe") int BPF_KRETPROBE(kprobe_leave_##number) { \
    return leave(number);                                     \
  }

FUNCTION(0)
FUNCTION(1)
FUNCTION(2)
FUNCTION(3)
FUNCTION(4)
FUNCTION(5)
FUNCTION(6)
FUNCTION(7)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
