// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The bind enforcer's strongest mechanism: the policy inside the kernel, at the cgroup hooks of bind,
// connect, sendmsg and their siblings. Loaded once per node and attached to each endpoint's control
// group, whose storage says which endpoint that is. Nothing here needs kprobes or fentry.
//
// A group that was given no endpoint is refused everything: what broke never lets a bind through.
#include "bind.h"
#include "datagram.h"
#include "destination.h"
#include "shown.h"
#include "socket.h"

char LICENSE[] SEC("license") = "GPL";
