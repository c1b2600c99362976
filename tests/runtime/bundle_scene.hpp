// SPDX-License-Identifier: Apache-2.0
/// Bundles, and a real runtime behind particle-runc to run them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "netns/pool_scene.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {

/// Says `name` to whoever connects to the container's endpoint, for as long as it runs.
std::vector<std::string> greeter(const std::string& name);
/// The command that prints what the greeter at `address` says.
std::vector<std::string> greeting_at(const std::string& address);
/// Waits for the end.
inline const std::vector<std::string> kSleeper{"sleep", "1000"};

/// What a container is to be.
struct BundleSpec {
  std::vector<std::string> command = kSleeper;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> environment;
  std::vector<nlohmann::ordered_json> mounts;  ///< beside proc, dev and the like
  std::vector<std::string> capabilities{"CAP_NET_RAW", "CAP_NET_BIND_SERVICE"};
  nlohmann::ordered_json seccomp{};  ///< linux.seccomp; null: none
};

/// A config.json in the shape that runc's own `spec` has.
nlohmann::ordered_json config_of(const BundleSpec& spec, const std::string& rootfs);

/// particle-runc over one real runtime, on one node. Containers left over are deleted at the end.
class Runtime {
 public:
  /// `runtime` is the real one's path; everything is kept below `directory`, but leases in `run_dir`.
  Runtime(const NetNs& node, const std::string& directory, const std::string& run_dir,
          const std::string& runtime, std::vector<std::string> launcher = {});
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  /// Deletes the containers that start() made.
  void clear();

  /// Makes a bundle; returns its directory.
  std::string make_bundle(const std::string& name, const BundleSpec& spec) const;
  /// particle-runc with these words behind `--root`, to its end.
  [[nodiscard]] CommandResult call(const std::vector<std::string>& words) const;
  /// The same without its output, which a container would keep open for as long as it lives.
  [[nodiscard]] CommandResult call_quietly(const std::vector<std::string>& words) const;
  /// What call() runs.
  [[nodiscard]] std::vector<std::string> words(const std::vector<std::string>& words) const;
  /// The words for the real runtime, without the wrapper.
  [[nodiscard]] CommandResult call_real(const std::vector<std::string>& words) const;

  /// `run --detach`, and what particle-runc logged when that failed.
  CommandResult start(const std::string& id, const BundleSpec& spec);
  /// The same without waiting for it.
  std::unique_ptr<Command> start_soon(const std::string& id, const BundleSpec& spec);
  /// Runs a command in a container; its output.
  [[nodiscard]] std::string exec(const std::string& id,
                                 const std::vector<std::string>& command) const;
  /// The value of a variable as the container's first process has it; "" when it has none.
  [[nodiscard]] std::string variable(const std::string& id, const std::string& name) const;
  /// Where a container's network namespace is: its inode.
  [[nodiscard]] std::uint64_t netns_inode(const std::string& id) const;
  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string state_directory() const { return run_dir_ + "/runtime"; }

 private:
  const NetNs& node_;
  std::string directory_;
  std::string root_;
  std::string run_dir_;
  std::string runtime_;
  std::vector<std::string> launcher_;  ///< words in front of every call
  std::vector<std::string> started_;
};

/// Does `holds` come true within ten seconds?
template <class Predicate>
bool eventually(const Predicate& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

/// Entries of a directory; 0 when there is none.
std::size_t entries_in(const std::string& directory);

}  // namespace particle::test
