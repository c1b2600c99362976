// SPDX-License-Identifier: Apache-2.0
/// SIGHUP, SIGINT and SIGTERM as something to wait for.
#pragma once

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::overlay {

class Signals {
 public:
  /// Blocks them in the calling thread, and so in every thread that it makes from then on: call it
  /// before an adapter is made. They stay blocked. Errors: errno of signalfd(2).
  static Result<Signals> open();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  struct Pending {
    bool reload = false;
    bool stop = false;
  };
  /// Takes what has arrived; waits for nothing.
  Pending take();

 private:
  explicit Signals(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace particle::overlay
