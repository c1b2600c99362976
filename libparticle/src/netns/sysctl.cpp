// SPDX-License-Identifier: Apache-2.0
#include "netns/sysctl.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace particle::detail {
namespace {

bool is_network_sysctl(std::string_view path) {
  if (!path.starts_with("net/")) return false;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    const std::string_view part = path.substr(from, slash - from);
    if (part.empty() || part == "." || part == "..") return false;
    from = slash + 1;
  }
  return true;
}

const char* hint_for(int error) {
  switch (error) {
    case EROFS:
      return "/proc/sys is mounted read-only here (a container?): remount it read-write";
    case EACCES:
    case EPERM:
      return "writing sysctls of a namespace needs root in the user namespace that owns it";
    case ENOENT:
      return "this kernel has no such sysctl";
    default:
      return "";
  }
}

Error refused(int error, const Sysctl& sysctl) {
  return Error::from_errno(error, "sysctl " + sysctl.path + "=" + sysctl.value, hint_for(error));
}

Result<void> write_one(const Sysctl& sysctl) {
  if (!is_network_sysctl(sysctl.path)) {
    return fail(Error::of(Errc::invalid_argument, "sysctl " + sysctl.path,
                          "a namespace's sysctls are named like net/ipv4/ip_forward"));
  }
  const UniqueFd file(open(("/proc/sys/" + sysctl.path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) {
    if (errno == ENOENT && sysctl.optional) return {};
    return fail(refused(errno, sysctl));
  }
  const ssize_t written = write(file.get(), sysctl.value.data(), sysctl.value.size());
  if (written < 0) return fail(refused(errno, sysctl));
  if (static_cast<std::size_t>(written) != sysctl.value.size()) return fail(refused(EIO, sysctl));
  return {};
}

}  // namespace

Result<void> write_sysctls_here(const std::vector<Sysctl>& sysctls) {
  for (const Sysctl& sysctl : sysctls) {
    if (auto written = write_one(sysctl); !written) return written;
  }
  return {};
}

}  // namespace particle::detail
