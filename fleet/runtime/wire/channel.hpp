// SPDX-License-Identifier: Apache-2.0
/// `Channel`: lines of JSON over a connection, either way. docs/fleet.md has the protocol.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <particle/result.hpp>

#include "wire/transport.hpp"

namespace particle::fleet {

/// A line is never longer: an instance's input has to fit into one, base64 included.
inline constexpr std::size_t kLongestLine = 16U << 20;

/// Cuts what arrives into lines, with bounded memory. Pure.
class LineCutter {
 public:
  explicit LineCutter(std::size_t longest = kLongestLine) : longest_(longest) {}
  /// Calls `take(line)` for each line that `bytes` complete. Errors: protocol when a line is too long;
  /// nothing can be taken after it.
  Result<void> feed(std::string_view bytes, const std::function<void(std::string_view)>& take);
  /// Is a line begun and not ended?
  [[nodiscard]] bool in_a_line() const noexcept { return !held_.empty(); }

 private:
  std::size_t longest_;
  std::string held_;
};

/// Threads: write() and stop() from any; read_lines() from one.
class Channel {
 public:
  explicit Channel(std::unique_ptr<Transport> transport);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  /// Queues a line, to which the newline is added. Waits while the other side has not taken what was
  /// queued before (64 MiB), for half a minute; then the connection is given up.
  /// Errors: io when the connection is gone.
  Result<void> write(std::string_view line);
  /// Calls `take` for each line until the connection ends; success at its regular end.
  /// Errors: io; protocol for a line that is too long or was cut off.
  Result<void> read_lines(const std::function<void(std::string_view)>& take);
  /// Ends both directions: read_lines() returns, and what is queued is not sent any more.
  void stop();
  /// Waits until everything queued was sent, two seconds at most, or the connection is gone.
  void drain();

 private:
  void send_queued();
  /// Takes all that is queued; false when there will be no more.
  bool take_queued(std::string& out);

  std::unique_ptr<Transport> transport_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string queue_;
  bool sending_ = false;
  bool stopped_ = false;
  std::thread sender_;
};

}  // namespace particle::fleet
