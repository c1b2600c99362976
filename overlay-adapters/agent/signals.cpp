// SPDX-License-Identifier: Apache-2.0
#include "agent/signals.hpp"

#include <cerrno>
#include <csignal>

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace particle::overlay {

Result<Signals> Signals::open() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) ::sigaddset(&set, number);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0)
    return fail(Error::from_errno(error, "block signals"));
  UniqueFd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) return fail(Error::from_errno(errno, "signalfd"));
  return Signals(std::move(fd));
}

Signals::Pending Signals::take() {
  Pending out;
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    (info.ssi_signo == SIGHUP ? out.reload : out.stop) = true;
  }
  return out;
}

}  // namespace particle::overlay
