// SPDX-License-Identifier: Apache-2.0
/// Attempts to connect, to learn how far a packet gets.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/netns.hpp>

namespace particle::cli::demo {

struct Attempt {
  std::string what;  ///< "blue-b -> 10.1.255.1"
  const NetNs* from = nullptr;
  std::optional<IpAddress> source;
  IpAddress target;
  std::uint16_t port = 0;
};

enum class Reach : std::uint8_t {
  connected,    ///< a server answered
  refused,      ///< the address answered, without a server at that port
  unreachable,  ///< no route, or nobody with that address
  silence,      ///< no answer within the time
};
const char* to_string(Reach reach) noexcept;

/// Nothing came back: the packet did not arrive at anything.
inline bool is_cut_off(Reach reach) {
  return reach == Reach::unreachable || reach == Reach::silence;
}

/// Makes all attempts at once and waits at most `patience` for their ends. One answer each.
/// Errors: the errno when sockets cannot be had at all.
Result<std::vector<Reach>> try_to_connect(std::span<const Attempt> attempts,
                                          std::chrono::milliseconds patience);

}  // namespace particle::cli::demo
