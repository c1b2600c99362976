// SPDX-License-Identifier: Apache-2.0
#include <particle/unique_fd.hpp>

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace particle {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::reset() noexcept {
  if (fd_ < 0) return;
  // Not retried on EINTR: Linux has released the descriptor by then, and its number may be
  // another's.
  const int saved = errno;
  ::close(fd_);
  errno = saved;
  fd_ = -1;
}

Result<UniqueFd> UniqueFd::duplicate() const {
  const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    return fail(Error::from_errno(errno, "duplicate descriptor " + std::to_string(fd_)));
  return UniqueFd(copy);
}

}  // namespace particle
