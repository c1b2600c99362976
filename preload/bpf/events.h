/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the eBPF programs report, as the reader of the ring sees it. */
/* NOLINTBEGIN: C, which eBPF objects and a C library include too; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_EVENTS_H
#define PARTICLE_BPF_EVENTS_H

#define PB_RING_BYTES 65536

enum pb_operation { PB_OP_BIND = 1, PB_OP_CONNECT, PB_OP_SEND, PB_OP_SOCKET, PB_OP_LISTEN };

struct pb_event {
  unsigned int operation; /* enum pb_operation */
  unsigned int row;       /* enum pb_row */
  unsigned int family;    /* AF_INET, AF_INET6 */
  unsigned int port;      /* network byte order */
  unsigned int pid;
  unsigned int address[4]; /* as the program gave it */
  char command[16];
};

#endif
/* NOLINTEND */
