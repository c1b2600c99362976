// SPDX-License-Identifier: Apache-2.0
/// What carries a channel's bytes: a socket as it is, or TLS over one (tls.hpp).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::fleet {

/// Threads: read() by one, write() by one, at the same time; stop() by any.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Waits for bytes. Returns how many came, 0 at the regular end. Errors: io; errno of recv(2).
  virtual Result<std::size_t> read(std::span<char> into) = 0;
  /// Waits until all bytes are on their way. Errors: io; errno of send(2).
  virtual Result<void> write(std::string_view bytes) = 0;
  /// Ends the connection both ways; whoever waits here returns. Idempotent.
  virtual void stop() = 0;
};

/// Bytes as they are. The socket is connected and blocks.
std::unique_ptr<Transport> make_plain_transport(UniqueFd socket);

}  // namespace particle::fleet
