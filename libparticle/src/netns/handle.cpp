// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <particle/netns.hpp>

#include "netns/nsfs.hpp"
#include "netns/sysctl.hpp"
#include "netns/worker.hpp"

namespace particle {
namespace {

constexpr int kSoNetnsCookie = 71;  // SO_NETNS_COOKIE, missing from Debian 12's older libc headers

Result<NetNs> open_file(const std::string& path, const std::string& operation,
                        std::string hint = {}) {
  // O_NONBLOCK: a FIFO at `path` must not hang us.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.valid()) return fail(Error::from_errno(errno, operation, std::move(hint)));
  if (!detail::is_netns(fd.get())) {
    return fail(Error::of(Errc::invalid_argument, operation + ": not a network namespace",
                          "name an nsfs file such as /run/netns/NAME or /proc/PID/ns/net"));
  }
  return NetNs(std::move(fd));
}

/// The cookie of the calling thread's namespace; nullopt before 5.14.
Result<std::optional<std::uint64_t>> cookie_here() {
  const UniqueFd socket_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid())
    return fail(Error::from_errno(errno, "open a socket for SO_NETNS_COOKIE"));
  std::uint64_t value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(socket_fd.get(), SOL_SOCKET, kSoNetnsCookie, &value, &size) == 0) return value;
  if (errno == ENOPROTOOPT) return std::nullopt;
  return fail(Error::from_errno(errno, "getsockopt SO_NETNS_COOKIE"));
}

}  // namespace

Result<NetNs> NetNs::current() {
  return open_file("/proc/thread-self/ns/net", "open the current network namespace",
                   "is /proc mounted?");
}

Result<NetNs> NetNs::open_path(const std::string& path) {
  return open_file(path, "open network namespace " + path);
}

Result<NetNs> NetNs::open_pid(pid_t pid) {
  const std::string number = std::to_string(pid);
  if (pid <= 0)
    return fail(Error::of(Errc::invalid_argument, "open network namespace of process " + number));
  return open_file("/proc/" + number + "/ns/net", "open network namespace of process " + number);
}

Result<NetNs> NetNs::open_name(std::string_view name) {
  const std::string text(name);
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos ||
      name.find('\0') != std::string_view::npos) {
    return fail(Error::of(Errc::invalid_argument, "open network namespace '" + text + "'",
                          "a name is one path component, as `ip netns list` prints it"));
  }
  return open_file("/run/netns/" + text, "open network namespace " + text,
                   "`ip netns list` shows the names there are");
}

Result<std::uint64_t> NetNs::inode() const {
  struct stat info{};
  if (fstat(fd(), &info) != 0) return fail(Error::from_errno(errno, "fstat a network namespace"));
  return static_cast<std::uint64_t>(info.st_ino);
}

Result<std::uint64_t> NetNs::cookie() const {
  std::optional<std::uint64_t> found;
  auto ran = detail::look_in_netns(fd(), [&found]() -> Result<void> {
    auto here = cookie_here();
    if (!here) return fail(std::move(here.error()));
    found = *here;
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  if (found) return *found;
  return inode();
}

Result<std::uint64_t> NetNs::current_cookie() {
  auto here = cookie_here();
  if (!here) return fail(std::move(here.error()));
  if (*here) return **here;
  auto own = current();
  if (!own) return fail(std::move(own.error()));
  return own->inode();
}

Result<NetNs> NetNs::duplicate() const {
  auto copy = fd_.duplicate();
  if (!copy) return fail(std::move(copy.error()));
  return NetNs(std::move(*copy));
}

Result<void> NetNs::run(const std::function<Result<void>()>& work) const {
  return detail::run_in_netns(fd(), work);
}

Result<Session> NetNs::open_session() const {
  std::optional<Session> session;
  auto ran = detail::look_in_netns(fd(), [&session]() -> Result<void> {
    auto opened = Session::open();
    if (!opened) return fail(std::move(opened.error()));
    session.emplace(std::move(*opened));
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  return std::move(*session);
}

Result<void> NetNs::write_sysctls(const std::vector<Sysctl>& sysctls) const {
  return run([&sysctls] { return detail::write_sysctls_here(sysctls); });
}

}  // namespace particle
