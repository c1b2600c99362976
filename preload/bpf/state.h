/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the programs find in the storage of an endpoint's control group, and who fills it writes. */
/* NOLINTBEGIN: C, which eBPF objects and a C library include too; names as the kernel spells its own. */
#ifndef PARTICLE_BPF_STATE_H
#define PARTICLE_BPF_STATE_H

#include "../policy/policy.h"

struct pb_state {
  struct pb_endpoint endpoint;
  unsigned int ready; /* 0, as the kernel makes it: not yet, or not any more, an endpoint */
  unsigned int unused;
  unsigned long long id; /* of the control group: the key of its log */
};

#endif
/* NOLINTEND */
