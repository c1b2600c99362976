// SPDX-License-Identifier: Apache-2.0
/// Real container engines, each with a /run, mounts and process ids of its own: whatever they start
/// ends with them, and nothing of theirs is seen by the machine.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <particle/netns.hpp>

#include "engines/box.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {

/// A daemon in a box, on a node; it ends with the box. What it says is in `directory`/log.
class EngineBox {
 public:
  /// Starts `words` on `node`.
  EngineBox(const NetNs& node, const std::string& directory, const std::vector<std::string>& words,
            const std::string& run_dir);

  /// A program inside the box, to its end.
  [[nodiscard]] CommandResult run(const std::vector<std::string>& words) const;
  /// SIGKILL for the daemon alone. It is started again at once.
  void kill_daemon() const;
  /// The parent of its containers' control groups.
  [[nodiscard]] const std::string& name() const { return box_.group(); }

 private:
  std::string program_;
  bench::Box box_;
};

/// A name that no other test process uses at the same time: "particle-test-PID-N".
std::string unique_name();

/// The tests' image, "particle.test/box:latest": busybox and the greeter. Returns the path of a file
/// that `ctr images import` and `docker load` take.
std::string make_image(const std::string& directory);
inline constexpr const char* kImage = "particle.test/box:latest";

/// containerd, with ctr to drive it.
class Containerd {
 public:
  /// `settings` is added to its configuration. Throws unless it answers within 20 seconds.
  Containerd(const NetNs& node, const std::string& directory, const std::string& run_dir,
             const std::string& settings = {});

  [[nodiscard]] CommandResult ctr(const std::vector<std::string>& words) const;
  /// `ctr run --detach` behind particle-runc, in `pool` unless that is empty.
  [[nodiscard]] CommandResult run(const std::string& id, const std::string& pool,
                                  const std::vector<std::string>& command) const;
  /// A further process in a container: its output.
  [[nodiscard]] std::string exec(const std::string& id,
                                 const std::vector<std::string>& command) const;
  /// Kills and deletes a container; the errors of ctr, if any.
  [[nodiscard]] std::string remove(const std::string& id) const;
  /// Imports the tests' image.
  void import_image(const std::string& archive) const;
  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] const EngineBox& box() const { return *box_; }

 private:
  std::string socket_;
  std::unique_ptr<EngineBox> box_;
};

/// dockerd, with docker to drive it. No bridge, no iptables.
class Docker {
 public:
  Docker(const NetNs& node, const std::string& directory, const std::string& run_dir);
  [[nodiscard]] CommandResult call(const std::vector<std::string>& words) const;
  /// `docker run --detach` behind particle-runc.
  [[nodiscard]] CommandResult run(const std::string& id, const std::string& pool,
                                  const std::vector<std::string>& command) const;

 private:
  std::string socket_;
  std::unique_ptr<EngineBox> box_;
};

/// podman, which has no daemon: each call is a process of its own. Containers run behind particle-runc
/// and runc; networks are CNI's.
class Podman {
 public:
  /// Throws unless it answers within 20 seconds.
  Podman(const NetNs& node, const std::string& directory, const std::string& run_dir);
  [[nodiscard]] CommandResult call(const std::vector<std::string>& words) const;
  /// `podman run --detach`.
  [[nodiscard]] CommandResult run(const std::string& id, const std::vector<std::string>& options,
                                  const std::vector<std::string>& command) const;
  /// Where networks (`*.conflist`) and plugins are looked for.
  [[nodiscard]] std::string networks() const { return directory_ + "/networks"; }
  [[nodiscard]] std::string plugins() const { return directory_ + "/cni"; }

 private:
  std::string directory_;
  std::unique_ptr<EngineBox> box_;
};

}  // namespace particle::test
