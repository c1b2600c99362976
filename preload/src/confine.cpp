// SPDX-License-Identifier: Apache-2.0
#include "src/confine.hpp"

#include <cerrno>
#include <cstdint>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::bind {
namespace {

// Debian 12's <linux/landlock.h> ends before scopes.
struct LandlockRuleset {
  std::uint64_t handled_access_fs = 0;
  std::uint64_t handled_access_net = 0;
  std::uint64_t scoped = 0;
};
constexpr std::uint64_t kScopeAbstractUnixSocket = 1;
constexpr unsigned kAskVersion = 1;
constexpr long kFirstAbiWithScopes = 6;

Result<void> drop(std::uint64_t capabilities) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) {
    return fail(Error::from_errno(errno, "read this process's capabilities"));
  }
  for (int number = 0; number <= CAP_LAST_CAP; ++number) {
    const std::uint64_t bit = 1ULL << static_cast<unsigned>(number);
    if ((capabilities & bit) == 0) {
      continue;
    }
    // From the bounding set, too, or a set-user-ID program would get it back.
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && ::geteuid() == 0) {
      return fail(Error::from_errno(errno, "drop capability " + std::to_string(number),
                                    "CAP_SETPCAP is needed"));
    }
    ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, number, 0, 0);
  }
  for (unsigned half = 0; half < 2; ++half) {
    const auto mask = static_cast<std::uint32_t>(capabilities >> (32 * half));
    data[half].effective &= ~mask;
    data[half].permitted &= ~mask;
    data[half].inheritable &= ~mask;
  }
  if (::syscall(SYS_capset, &header, data) != 0) {
    return fail(Error::from_errno(errno, "drop capabilities"));
  }
  return {};
}

}  // namespace

Result<void> drop_network_capabilities(bool allow_raw) {
  const std::uint64_t admin = 1ULL << CAP_NET_ADMIN;
  return drop(allow_raw ? admin : admin | 1ULL << CAP_NET_RAW);
}

Result<void> scope_abstract_sockets() {
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion) < kFirstAbiWithScopes) {
    return {};
  }
  LandlockRuleset ruleset;
  ruleset.scoped = kScopeAbstractUnixSocket;
  const UniqueFd fd(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0)));
  if (!fd.valid()) {
    return fail(Error::from_errno(errno, "make a Landlock ruleset"));
  }
  if (::syscall(SYS_landlock_restrict_self, fd.get(), 0) == 0) {
    return {};
  }
  if (errno == EPERM) {  // without CAP_SYS_ADMIN only under no_new_privs
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::syscall(SYS_landlock_restrict_self, fd.get(), 0) == 0) {
      return {};
    }
  }
  return fail(Error::from_errno(errno, "keep abstract UNIX sockets apart"));
}

}  // namespace particle::bind
