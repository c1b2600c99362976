// SPDX-License-Identifier: Apache-2.0
/// A containerd of the benchmark's own, with a private /run, /etc/cni, /opt, mounts and process ids.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "harness/testbed.hpp"

namespace particle::bench {

/// How the containers of a burst are connected.
enum class Network {
  none,    ///< a network namespace with nothing but lo: `ctr run`
  pool,    ///< the pool's, by particle-runc
  bridge,  ///< the reference plugins bridge and host-local: `ctr run --cni`
};

class ContainerdBox {
 public:
  /// Where packaging/components.sh unpacked containerd. Errors: not_found.
  static Result<std::string> find_components();

  /// Starts containerd on the testbed's node and gives it an image. Errors: kernel, busy.
  static Result<ContainerdBox> start(const Testbed& bed, const std::string& components);
  ContainerdBox(ContainerdBox&& other) noexcept;
  ContainerdBox& operator=(ContainerdBox&&) = delete;
  ContainerdBox(const ContainerdBox&) = delete;
  ContainerdBox& operator=(const ContainerdBox&) = delete;
  /// Kills containerd with all that it started.
  ~ContainerdBox();

  /// Runs `count` containers, `at_a_time` calls of ctr at a time: milliseconds until the last one
  /// runs.
  [[nodiscard]] Result<double> burst(Network network, const std::string& pool, unsigned count,
                                     unsigned at_a_time);
  /// Removes what the last burst made.
  [[nodiscard]] Result<void> clear(unsigned at_a_time);

 private:
  using Words = std::vector<std::string>;
  ContainerdBox(const Testbed& bed, std::string components);
  [[nodiscard]] Result<void> make_image() const;
  [[nodiscard]] Result<void> enter();
  [[nodiscard]] Words ctr(const Words& words) const;
  [[nodiscard]] Words run_words(Network network, const std::string& pool,
                                const std::string& id) const;
  /// Every command, at most `at_a_time` at once.
  [[nodiscard]] Result<void> run_all(const std::vector<Words>& commands, unsigned at_a_time) const;

  const Testbed& bed_;
  std::string components_;
  std::string group_;             ///< the parent of the containers' control groups
  std::vector<std::string> ids_;  ///< of the last burst
  unsigned made_ = 0;             ///< host-local never forgets an id: none is used twice
  pid_t launcher_ = -1;
  pid_t first_ = -1;  ///< the first process inside
};

}  // namespace particle::bench
