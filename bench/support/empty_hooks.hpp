// SPDX-License-Identifier: Apache-2.0
/// What the kernel's own hooks cost a socket, whatever is attached to them: eBPF programs that allow
/// everything and look at nothing.
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>

namespace particle::bench {

/// A control group with a program of two instructions at each hook that socket(2) and bind(2) of IPv4 pass
/// under the bind enforcer (sock_create, bind4, post_bind4). Gone with the object.
class EmptyHooks {
 public:
  /// Mounts cgroup2 at `directory`, which it makes: in a mount namespace of the caller's own.
  /// Errors: those of mount(2), mkdir(2) and bpf(2), each with the object.
  static Result<EmptyHooks> make(const std::string& directory);
  EmptyHooks(EmptyHooks&& other) noexcept;
  EmptyHooks& operator=(EmptyHooks&&) = delete;
  EmptyHooks(const EmptyHooks&) = delete;
  EmptyHooks& operator=(const EmptyHooks&) = delete;
  ~EmptyHooks();

  /// The calling process, and what it becomes, is in the group from here on.
  [[nodiscard]] Result<void> enter() const;

 private:
  EmptyHooks() = default;
  std::string mount_;
  std::string group_;
};

}  // namespace particle::bench
