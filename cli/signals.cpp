// SPDX-License-Identifier: Apache-2.0
#include "signals.hpp"

#include <csignal>

namespace particle::cli {
namespace {

std::stop_source* stop_source = nullptr;

/// request_stop() without registered callbacks (libparticle only polls the token) is one
/// compare-and-swap in libstdc++ 12, which a signal handler may do.
void handle(int /*signal*/) {
  struct sigaction by_default = {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &by_default, nullptr);
  ::sigaction(SIGTERM, &by_default, nullptr);
  stop_source->request_stop();
}

}  // namespace

std::stop_token stop_on_signals() {
  static std::stop_source source;
  stop_source = &source;
  struct sigaction action = {};
  action.sa_handler = handle;
  // No SA_RESTART: waiting for a lock or a child ends, too.
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction before = {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) {
      ::sigaction(signal, &action, nullptr);
    }
  }
  return source.get_token();
}

}  // namespace particle::cli
