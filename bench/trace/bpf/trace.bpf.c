// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Where the time of some threads goes: sampled kernel stacks while they run, exact times with kernel
// stacks while they do not, locks that they wait for, and the steps that libparticle marks. Needs
// BTF tracepoints and perf events; neither kprobes nor fentry.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/usdt.bpf.h>

#include "shared.h"

#define TASK_DEAD 0x80

// The only kernel fields that are read. The task's state was called `state` before Linux 5.14.
struct task_struct {
  int pid;
  char comm[PT_COMMAND];
  unsigned int __state;
} __attribute__((preserve_access_index));
struct task_struct___before_5_14 {
  long state;
} __attribute__((preserve_access_index));

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);  // thread id in the initial pid namespace
  __type(value, struct pt_task);
} tasks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, PT_STACKS);
  __uint(key_size, sizeof(unsigned int));
  __uint(value_size, PT_FRAMES * sizeof(unsigned long long));
} stacks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, struct pt_key);
  __type(value, struct pt_time);
} times SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, unsigned long long);  // the lock's address
  __type(value, struct pt_lock);
} locks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, char[PT_COMMAND]);
  __type(value, struct pt_command);
} commands SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 256);
  __type(key, char[PT_STEP]);
  __type(value, struct pt_time);
} steps SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, PT_COUNTERS);
  __type(key, unsigned int);
  __type(value, unsigned long long);
} counters SEC(".maps");

static void count(unsigned int which) {
  unsigned long long* value = bpf_map_lookup_elem(&counters, &which);
  if (value) __sync_fetch_and_add(value, 1);
}

// Entries are zeroed when they are made, so that key bytes beyond a name compare equal.
static void add_time(const struct pt_key* key, unsigned long long ns) {
  struct pt_time* found = bpf_map_lookup_elem(&times, key);
  if (!found) {
    const struct pt_time none = {};
    bpf_map_update_elem(&times, key, &none, BPF_NOEXIST);
    found = bpf_map_lookup_elem(&times, key);
  }
  if (!found) {
    count(PT_LOST_ENTRIES);
    return;
  }
  __sync_fetch_and_add(&found->ns, ns);
  __sync_fetch_and_add(&found->hits, 1);
}

static struct pt_command* command_of(const char* name) {
  struct pt_command* found = bpf_map_lookup_elem(&commands, name);
  if (found) return found;
  const struct pt_command none = {};
  bpf_map_update_elem(&commands, name, &none, BPF_NOEXIST);
  return bpf_map_lookup_elem(&commands, name);
}

// EEXIST: another stack has the place. EFAULT: there is none, the task was in user space.
#define LOST -17

static int kernel_stack(void* context) {
  const long id = bpf_get_stackid(context, &stacks, 0);
  if (id == LOST) count(PT_LOST_STACKS);
  return (int)id;
}

static unsigned int state_of(struct task_struct* task) {
  if (bpf_core_field_exists(task->__state)) return task->__state;
  const struct task_struct___before_5_14* old = (const void*)task;
  return (unsigned int)BPF_CORE_READ(old, state);
}

// Books the time on a processor since it was last booked on the command of that time.
static void book_running(struct pt_task* task, unsigned long long now) {
  if (!task->since) return;
  struct pt_command* command = command_of(task->command);
  if (command) __sync_fetch_and_add(&command->on_cpu_ns, now - task->since);
}

static void leave_processor(void* context, struct task_struct* prev, unsigned long long now) {
  const int pid = prev->pid;
  struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task) return;
  const unsigned int state = state_of(prev);
  __builtin_memcpy(task->command, prev->comm, PT_COMMAND);
  book_running(task, now);
  if (state & TASK_DEAD) {
    bpf_map_delete_elem(&tasks, &pid);
    return;
  }
  task->since = now;
  task->kind = state == 0 ? PT_WAITING : PT_BLOCKED;
  task->stack = kernel_stack(context);
}

static void enter_processor(struct task_struct* next, unsigned long long now) {
  const int pid = next->pid;
  struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task) return;
  if (task->since && task->kind != PT_SAMPLED && task->stack != LOST) {
    struct pt_key key = {};
    key.stack = task->stack;
    key.kind = task->kind;
    __builtin_memcpy(key.step, task->step, PT_STEP);
    __builtin_memcpy(key.command, task->command, PT_COMMAND);
    add_time(&key, now - task->since);
  }
  task->since = now;
  task->kind = PT_SAMPLED;
  __builtin_memcpy(task->command, next->comm, PT_COMMAND);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempted, struct task_struct* prev, struct task_struct* next) {
  const unsigned long long now = bpf_ktime_get_ns();
  leave_processor(ctx, prev, now);
  enter_processor(next, now);
  return 0;
}

// A child belongs to the step that its parent is in: helpers are part of the step that started them.
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct* parent, struct task_struct* child) {
  const int parent_pid = parent->pid;
  const struct pt_task* task = bpf_map_lookup_elem(&tasks, &parent_pid);
  if (!task) return 0;
  struct pt_task fresh = {};
  __builtin_memcpy(fresh.step, task->step, PT_STEP);
  const int pid = child->pid;
  if (bpf_map_update_elem(&tasks, &pid, &fresh, BPF_ANY)) count(PT_LOST_ENTRIES);
  count(PT_FORKS);
  return 0;
}

// The name has changed already: what was before belongs to the old one.
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct* next) {
  const int pid = next->pid;
  struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task) return 0;
  const unsigned long long now = bpf_ktime_get_ns();
  book_running(task, now);
  task->since = now;
  __builtin_memcpy(task->command, next->comm, PT_COMMAND);
  count(PT_EXECS);
  return 0;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data* context) {
  const int pid = (int)bpf_get_current_pid_tgid();
  const struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task) return 0;
  struct pt_key key = {};
  key.stack = kernel_stack(context);
  if (key.stack == LOST) return 0;
  key.kind = PT_SAMPLED;
  __builtin_memcpy(key.step, task->step, PT_STEP);
  bpf_get_current_comm(key.command, sizeof(key.command));
  add_time(&key, 0);
  return 0;
}

SEC("tp_btf/contention_begin")
int BPF_PROG(on_wait, void* lock) {
  const int pid = (int)bpf_get_current_pid_tgid();
  struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task || task->wait_since) return 0;
  task->wait_since = bpf_ktime_get_ns();
  task->lock = (unsigned long long)lock;
  if (!bpf_map_lookup_elem(&locks, &task->lock)) {
    struct pt_lock fresh = {};
    fresh.stack = kernel_stack(ctx);
    bpf_map_update_elem(&locks, &task->lock, &fresh, BPF_NOEXIST);
  }
  return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(on_wait_end, void* lock) {
  const int pid = (int)bpf_get_current_pid_tgid();
  struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task || !task->wait_since || task->lock != (unsigned long long)lock) return 0;
  const unsigned long long ns = bpf_ktime_get_ns() - task->wait_since;
  task->wait_since = 0;
  struct pt_lock* found = bpf_map_lookup_elem(&locks, &task->lock);
  if (!found) return 0;
  __sync_fetch_and_add(&found->ns, ns);
  __sync_fetch_and_add(&found->count, 1);
  if (ns > found->longest_ns) found->longest_ns = ns;
  return 0;
}

// The marks of libparticle and of the baselines: provider particle, probes step_begin and step_end.
SEC("usdt")
int BPF_USDT(on_step_begin, const char* name) {
  const int pid = (int)bpf_get_current_pid_tgid();
  struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task) return 0;
  char step[PT_STEP] = {};
  bpf_probe_read_user_str(step, sizeof(step), name);
  __builtin_memcpy(task->step, step, PT_STEP);
  task->step_since = bpf_ktime_get_ns();
  return 0;
}

SEC("usdt")
int BPF_USDT(on_step_end) {
  const int pid = (int)bpf_get_current_pid_tgid();
  struct pt_task* task = bpf_map_lookup_elem(&tasks, &pid);
  if (!task || !task->step_since) return 0;
  const unsigned long long ns = bpf_ktime_get_ns() - task->step_since;
  char step[PT_STEP];
  __builtin_memcpy(step, task->step, PT_STEP);
  __builtin_memset(task->step, 0, PT_STEP);
  task->step_since = 0;
  struct pt_time* found = bpf_map_lookup_elem(&steps, step);
  if (!found) {
    const struct pt_time none = {};
    bpf_map_update_elem(&steps, step, &none, BPF_NOEXIST);
    found = bpf_map_lookup_elem(&steps, step);
  }
  if (!found) return 0;
  __sync_fetch_and_add(&found->ns, ns);
  __sync_fetch_and_add(&found->hits, 1);
  return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
