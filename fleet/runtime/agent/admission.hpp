// SPDX-License-Identifier: Apache-2.0
/// Who has connected over TCP and has not proved yet who it is. Those have no thread and no session: a
/// scanner costs a descriptor for a few seconds, and holds up nobody.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <poll.h>

#include "agent/refusal_log.hpp"
#include "wire/address.hpp"
#include "wire/tls.hpp"

namespace particle::fleet {

/// An agent that may be served.
struct Admitted {
  std::unique_ptr<Transport> transport;
  std::string who;  ///< "agent n2 at 192.0.2.2:40112"
};

/// Threads: one.
class Admission {
 public:
  using Clock = std::chrono::steady_clock;
  /// For a handshake, from the connection on.
  static constexpr std::chrono::seconds kPatience{5};
  /// Handshakes at once. One more ends the oldest: agents need milliseconds for theirs.
  static constexpr std::size_t kMost = 64;

  /// `tls`: unset: whoever connects is admitted. `refused` gets lines for the log.
  Admission(std::optional<Tls> tls, std::function<void(const std::string&)> refused)
      : tls_(std::move(tls)), refused_(std::move(refused)) {}

  void take(Accepted connection);
  /// What to wait for, appended to `to`, and how long at most.
  void add_to(std::vector<pollfd>& to) const;
  [[nodiscard]] std::chrono::milliseconds patience(std::chrono::milliseconds most) const;
  /// Goes on with those that have something in `events`, and ends those whose time is over.
  void serve(const std::vector<pollfd>& events);
  /// Who was admitted since the last call.
  std::vector<Admitted> take_admitted();

 private:
  struct Pending {
    TlsHandshake handshake;
    TcpAddress from;
    Clock::time_point until;
    short events = POLLIN;
    bool over = false;
  };
  void advance(Pending& one);
  void refuse(Pending& one, const std::string& why);
  void log(const TcpAddress& from, const std::string& why);

  std::optional<Tls> tls_;
  std::function<void(const std::string&)> refused_;
  RefusalLog refusals_;
  std::list<Pending> pending_;  ///< the oldest first
  std::vector<Admitted> admitted_;
};

}  // namespace particle::fleet
