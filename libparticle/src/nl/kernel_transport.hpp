// SPDX-License-Identifier: Apache-2.0
/// The kernel's socket as a Transport.
#pragma once

#include <memory>

#include <particle/session.hpp>

namespace particle::nl {

/// Opens a NETLINK_ROUTE socket in the calling thread's network namespace.
Result<std::unique_ptr<Transport>> open_kernel_transport();

}  // namespace particle::nl
