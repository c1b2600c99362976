/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the eBPF programs keep, as the reader of their maps sees it. */
/* NOLINTBEGIN: C, which eBPF objects include too; names as the kernel spells its own. */
#ifndef PARTICLE_TRACE_SHARED_H
#define PARTICLE_TRACE_SHARED_H

#define PT_FRAMES 64
#define PT_STACKS 32768
#define PT_STEP 12
#define PT_COMMAND 16
#define PT_FUNCTIONS 8

enum pt_kind {
  PT_SAMPLED = 0, /* on a processor; hits count, not time */
  PT_BLOCKED = 1, /* off the processors, of its own accord */
  PT_WAITING = 2  /* off the processors, but runnable */
};

/* Where time went: one stack of one command in one step. */
struct pt_key {
  int stack; /* below 0: no kernel stack, the task was in user space */
  unsigned int kind;
  char step[PT_STEP]; /* "S1"; empty outside of any */
  char command[PT_COMMAND];
};

struct pt_time {
  unsigned long long ns;
  unsigned long long hits;
};

/* A thread that is followed. */
struct pt_task {
  unsigned long long since;      /* when it was put on or taken off a processor; 0: not known */
  unsigned long long wait_since; /* for the lock below; 0: for none */
  unsigned long long lock;
  int stack; /* where it was taken off */
  unsigned int kind;
  char step[PT_STEP];
  char command[PT_COMMAND]; /* when it was put on or taken off */
  unsigned long long step_since;
};

/* A lock that followed threads waited for. */
struct pt_lock {
  unsigned long long ns;
  unsigned long long count;
  unsigned long long longest_ns;
  int stack; /* of the first wait */
};

/* One per command name: exact time on a processor, by which its samples are scaled. */
struct pt_command {
  unsigned long long on_cpu_ns;
};

enum pt_counter { PT_FORKS, PT_EXECS, PT_LOST_STACKS, PT_LOST_ENTRIES, PT_COUNTERS };

#endif
/* NOLINTEND */
