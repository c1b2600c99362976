// SPDX-License-Identifier: Apache-2.0
/// systemd's notification protocol (sd_notify(3)): datagrams to $NOTIFY_SOCKET. Its manual page
/// recommends these lines over linking libsystemd for them.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace particle::overlay {

class Notifier {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment, so
  /// that no child speaks in our name. Call it before any thread is made.
  static Notifier from_environment();

  /// Lines like "READY=1". Says nothing when nobody asked, and tolerates a manager that is gone.
  void say(const std::string& lines) const;
  /// The manager is reloading us until the next READY=1.
  void say_reloading() const;
  /// How often "WATCHDOG=1" is due: half the time after which the manager kills us.
  [[nodiscard]] std::optional<std::chrono::milliseconds> watchdog() const { return watchdog_; }

 private:
  std::string socket_;
  std::optional<std::chrono::milliseconds> watchdog_;
};

}  // namespace particle::overlay
