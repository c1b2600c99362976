// SPDX-License-Identifier: Apache-2.0
/// Network namespaces as handles. No function here changes the calling thread's namespace.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <particle/result.hpp>
#include <particle/session.hpp>
#include <particle/unique_fd.hpp>

namespace particle {

/// A sysctl below /proc/sys, as {"net/ipv4/ip_forward", "0"}.
struct Sysctl {
  std::string path;
  std::string value;
  /// Passed over when the kernel has no such file (an IPv6-less kernel, say).
  bool optional = false;

  friend bool operator==(const Sysctl&, const Sysctl&) = default;
};

/// An open network namespace. Threads: const members may be used concurrently.
class NetNs {
 public:
  /// The calling thread's. Errors: errno of open(2).
  static Result<NetNs> current();
  /// Any nsfs file: /run/netns/x, /proc/PID/ns/net, a pin. Errors: not_found, invalid_argument when
  /// the file is not a network namespace.
  static Result<NetNs> open_path(const std::string& path);
  static Result<NetNs> open_pid(pid_t pid);
  /// A namespace of iproute2: /run/netns/NAME.
  static Result<NetNs> open_name(std::string_view name);
  explicit NetNs(UniqueFd fd) : fd_(std::move(fd)) {}

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  /// The nsfs inode: equal for equal namespaces while both live; reused afterwards.
  [[nodiscard]] Result<std::uint64_t> inode() const;
  /// SO_NETNS_COOKIE: unique until the next boot, never reused. Kernel: 5.14; on older ones the inode.
  [[nodiscard]] Result<std::uint64_t> cookie() const;
  /// cookie() of current(), without the thread that looks into another namespace (0.1 ms, and more on
  /// a busy node).
  static Result<std::uint64_t> current_cookie();
  [[nodiscard]] Result<NetNs> duplicate() const;

  /// Runs `work` on a fresh thread inside this namespace and joins it. The thread is never reused.
  /// Errors: those of setns(2) (EPERM without CAP_SYS_ADMIN), then whatever `work` returned.
  [[nodiscard]] Result<void> run(const std::function<Result<void>()>& work) const;
  /// A netlink session that talks to this namespace.
  [[nodiscard]] Result<Session> open_session() const;
  /// Writes sysctls of this namespace. Errors: the errno, naming the sysctl.
  [[nodiscard]] Result<void> write_sysctls(const std::vector<Sysctl>& sysctls) const;

 private:
  UniqueFd fd_;
};

/// A namespace that was just made, with a session in it.
struct FreshNetNs {
  NetNs netns;
  Session session;
};

/// Makes a network namespace (unshare(CLONE_NEWNET) on a throw-away thread), writes `sysctls` in it
/// before any device but lo exists, and opens a session. It lives as long as something holds it.
/// Cost: 0.4-0.6 ms, nearly all of it in the kernel's setup_net.
/// Errors: permission_denied, exhausted (ENOSPC: user.max_net_namespaces), unsupported.
Result<FreshNetNs> create_netns(const std::vector<Sysctl>& sysctls = {});

/// Pins `netns` at `path` (bind mount of the nsfs file), so that it outlives this process.
///
/// Where this process has a mount namespace of its own (as under `ip netns exec`) in which `path` is
/// the same file as in that of pid 1 or, where that is out of reach, of its eldest ancestor, the mount
/// is made there: otherwise the pin, and with it the pool, would vanish when the process ends.
/// Errors: already_exists when something is pinned there; permission_denied without CAP_SYS_ADMIN.
Result<void> pin_netns(const NetNs& netns, const std::string& path);
/// Opens what is pinned at `path`, in the mount namespace where pin_netns made it.
/// Errors: not_found when there is no file, or a file with nothing pinned on it.
Result<NetNs> open_pinned_netns(const std::string& path);
/// Undoes pin_netns: unmounts (lazily) and unlinks. Idempotent: a missing pin is no error.
Result<void> unpin_netns(const std::string& path);

/// Gives the namespace behind `netns_fd` the id `id` inside the namespace the message is sent in.
/// The kernel forgets the id when that namespace dies, which makes it a sign of life that keeps
/// nothing alive. Kernel: net/core/net_namespace.c:rtnl_net_newid.
Message encode_netns_id(int netns_fd, std::uint32_t id);
/// Asks for the id: refused with ENOENT when no living namespace has it. Kernel: 4.20.
Message encode_netns_id_query(std::uint32_t id);

}  // namespace particle
