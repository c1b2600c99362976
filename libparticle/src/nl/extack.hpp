// SPDX-License-Identifier: Apache-2.0
/// The kernel's answers NLMSG_ERROR and NLMSG_DONE, with their extended acks.
/// Kernel: net/netlink/af_netlink.c:netlink_ack, netlink_dump_done.
#pragma once

#include <particle/session.hpp>

#include "nl/wire.hpp"

namespace particle::nl {

/// Reads an NLMSG_ERROR message (an ack when its error is 0). The request is echoed whole, or its
/// header alone (NLM_F_CAPPED); attributes follow when NLM_F_ACK_TLVS says so. Errors: protocol.
Result<Verdict> parse_error_reply(const MessageView& message);

/// Reads an NLMSG_DONE message: an error code, then attributes. An empty one is a success.
/// Errors: protocol.
Result<Verdict> parse_done_reply(const MessageView& message);

}  // namespace particle::nl
