// SPDX-License-Identifier: Apache-2.0
#include "agent/notify.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::overlay {
namespace {

std::string take_variable(const char* name) {
  const char* value = std::getenv(name);
  std::string out = value != nullptr ? value : "";
  ::unsetenv(name);
  return out;
}

std::uint64_t number(const std::string& text) {
  return std::strtoull(text.c_str(), nullptr, 10);
}

}  // namespace

Notifier Notifier::from_environment() {
  Notifier out;
  out.socket_ = take_variable("NOTIFY_SOCKET");
  const std::uint64_t usec = number(take_variable("WATCHDOG_USEC"));
  const std::string pid = take_variable("WATCHDOG_PID");
  if (usec > 0 && (pid.empty() || number(pid) == static_cast<std::uint64_t>(::getpid())))
    out.watchdog_ = std::chrono::milliseconds(usec / 2000);
  return out;
}

void Notifier::say(const std::string& lines) const {
  sockaddr_un address{};
  // "@name" is an abstract socket, whose address begins with a zero byte.
  if (socket_.size() < 2 || socket_.size() >= sizeof address.sun_path ||
      (socket_[0] != '/' && socket_[0] != '@'))
    return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  (void)::sendto(socket.get(), lines.data(), lines.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), length);
}

void Notifier::say_reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto usec = static_cast<std::uint64_t>(now.tv_sec) * 1000000U +
                    static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
  say("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

}  // namespace particle::overlay
