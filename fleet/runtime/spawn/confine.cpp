// SPDX-License-Identifier: Apache-2.0
#include "spawn/confine.hpp"

#include <cerrno>

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "spawn/packet.hpp"

namespace particle::fleet::spawn {
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

/// The pool's network namespace is one name space of abstract UNIX sockets. Kernel: Landlock ABI 6
/// (6.12); an older one leaves them common.
Failure scope_abstract_sockets() {
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskVersion) < kFirstAbiWithScopes) {
    return {};
  }
  LandlockRuleset ruleset;
  ruleset.scoped = kScopeAbstractUnixSocket;
  const long fd = ::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
  if (fd < 0) return last_failure("make a Landlock ruleset");
  if (::syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
    return last_failure("keep abstract UNIX sockets apart");
  }
  ::close(static_cast<int>(fd));
  return {};
}

/// As seccomp(2); the kernel copies the filter.
int set_filter(const std::string& filter, unsigned flags) {
  sock_fprog program = {};
  program.len = static_cast<unsigned short>(filter.size() / sizeof(sock_filter));
  program.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(filter.data()));
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

Failure drop_capabilities(std::uint64_t keep) {
  for (int number = 0; number < 64; ++number) {
    const std::uint64_t bit = 1ULL << static_cast<unsigned>(number);
    if ((keep & bit) != 0 || ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // past the kernel's last
    return last_failure("drop a capability from the bounding set");
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return last_failure("read capabilities");
  for (unsigned half = 0; half < 2; ++half) {
    const auto mask = static_cast<std::uint32_t>(keep >> (32 * half));
    data[half].effective &= mask;
    data[half].permitted &= mask;
    data[half].inheritable = 0;
  }
  return ::syscall(SYS_capset, &header, data) == 0 ? Failure{} : last_failure("drop capabilities");
}

/// select(2) knows no descriptors past 1,023: who needs more raises the limit by itself, and the launcher
/// has raised its own.
Failure lower_descriptor_limit() {
  constexpr rlim_t kUsual = 1024;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return last_failure("read the descriptor limit");
  if (limit.rlim_cur <= kUsual) return {};
  limit.rlim_cur = kUsual;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? Failure{}
                                                 : last_failure("lower the descriptor limit");
}

}  // namespace

Failure install_filter(const std::string& filter) {
  if (filter.empty()) return {};
  return set_filter(filter, 0) == 0 ? Failure{} : last_failure("install the system call filter");
}

Failure hand_over_calls(const Job& job, std::uint64_t token) {
  // A signal must not make a call start over that the agent has done already: only a fatal one
  // interrupts (Linux 5.19).
  int listener = set_filter(
      job.notify_filter, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  if (listener < 0 && errno == EINVAL) {
    listener = set_filter(job.notify_filter, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  }
  if (listener < 0) return last_failure("install the bind enforcer's filter");
  Writer out(Message::listener);
  out.number(token);
  // So many descriptors may be on their way at once; the agent is taking them.
  int error = 0;
  while ((error = send(kListeners, 0, out.bytes(), {listener})) == ETOOMANYREFS) {
    ::usleep(1000);
  }
  if (error != 0) return failure(error, "hand the seccomp listener to the bind agent");
  // Nobody else has it: when the agent is gone, so is the listener.
  ::close(listener);
  ::close(kListeners);
  return {};
}

Failure confine(const Job& job) {
  if (Failure bad = lower_descriptor_limit()) return bad;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return last_failure("set no_new_privs");
  if (job.apart) {
    if (Failure bad = scope_abstract_sockets()) return bad;
  }
  // The command, which has the same rights, must not get at init: it reports to the spawner.
  if (::prctl(PR_SET_DUMPABLE, 0) != 0) return last_failure("close init to debuggers");
  if (Failure bad = drop_capabilities(job.capabilities)) return bad;
  return install_filter(job.filter);
}

}  // namespace particle::fleet::spawn
