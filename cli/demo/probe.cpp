// SPDX-License-Identifier: Apache-2.0
#include "demo/probe.hpp"

#include <algorithm>
#include <cerrno>

#include <poll.h>

#include "demo/sockets.hpp"

namespace particle::cli::demo {
namespace {

using Clock = std::chrono::steady_clock;

Reach reach_of(int error) {
  switch (error) {
    case 0:
      return Reach::connected;
    case ECONNREFUSED:
      return Reach::refused;
    default:
      return Reach::unreachable;
  }
}

/// Begins the attempt; an invalid descriptor when its end, in `reach`, is known already.
Result<UniqueFd> begin(const Attempt& attempt, Reach& reach) {
  UniqueFd socket;
  auto ran = attempt.from->run([&]() -> Result<void> {
    const IpAddress* source = attempt.source ? &*attempt.source : nullptr;
    auto opened = open_connection(source, attempt.target, attempt.port);
    if (opened) {
      socket = std::move(*opened);
      return {};
    }
    const int error = opened.error().code.value();
    if (error != ENETUNREACH && error != EHOSTUNREACH && error != ECONNREFUSED) {
      return fail(std::move(opened.error()));
    }
    reach = reach_of(error);
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  return socket;
}

void wait_for(std::vector<UniqueFd>& sockets, std::vector<Reach>& reached,
              std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  for (;;) {
    std::vector<pollfd> waiting;
    std::vector<std::size_t> owners;
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      if (!sockets[i].valid()) continue;
      waiting.push_back({sockets[i].get(), POLLOUT, 0});
      owners.push_back(i);
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (waiting.empty() || left <= 0) return;
    if (poll(waiting.data(), waiting.size(), static_cast<int>(left)) <= 0) continue;
    for (std::size_t w = 0; w < waiting.size(); ++w) {
      if (waiting[w].revents == 0) continue;
      auto& socket = sockets[owners[w]];
      reached[owners[w]] = reach_of(pending_error(socket));
      socket.reset();
    }
  }
}

}  // namespace

const char* to_string(Reach reach) noexcept {
  switch (reach) {
    case Reach::connected:
      return "connected";
    case Reach::refused:
      return "answered (refused)";
    case Reach::unreachable:
      return "unreachable";
    case Reach::silence:
      return "no answer";
  }
  return "?";
}

Result<std::vector<Reach>> try_to_connect(std::span<const Attempt> attempts,
                                          std::chrono::milliseconds patience) {
  std::vector<Reach> reached(attempts.size(), Reach::silence);
  std::vector<UniqueFd> sockets;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    auto socket = begin(attempts[i], reached[i]);
    if (!socket) return fail(std::move(socket.error()));
    sockets.push_back(std::move(*socket));
  }
  wait_for(sockets, reached, patience);
  return reached;
}

}  // namespace particle::cli::demo
