// SPDX-License-Identifier: Apache-2.0
/// CNI plugins as whole processes: environment, configuration on standard input, no output kept.
#pragma once

#include <string>
#include <vector>

#include <particle/netns.hpp>

namespace particle::bench {

/// One plugin with one configuration, called in one node's namespace.
class Plugin {
 public:
  /// `configuration` is written to a file below `directory`.
  static Result<Plugin> make(const NetNs& node, std::string program, const std::string& directory,
                             const std::string& configuration);

  /// Milliseconds of one call, from the start of the process to its end.
  /// Errors: kernel, with the exit status, unless it is 0.
  [[nodiscard]] Result<double> call(const std::string& verb, const std::string& container,
                                    const std::string& netns) const;

 private:
  Plugin(const NetNs& node, std::string program, std::string path)
      : node_(&node), program_(std::move(program)), path_(std::move(path)) {}
  const NetNs* node_;
  std::string program_;
  std::string path_;  ///< of the configuration
};

/// Namespaces pinned below a directory, as a CRI runtime has them; unpinned at the end.
class Containers {
 public:
  static Result<Containers> make(const std::string& directory, std::size_t count);
  Containers(Containers&&) noexcept = default;
  Containers& operator=(Containers&&) = delete;
  ~Containers();
  [[nodiscard]] std::size_t size() const { return paths_.size(); }
  [[nodiscard]] static std::string id(std::size_t i) { return "bench-c" + std::to_string(i); }
  [[nodiscard]] const std::string& netns(std::size_t i) const { return paths_[i]; }

 private:
  Containers() = default;
  std::vector<std::string> paths_;
};

/// The directory of the reference plugins below $PARTICLE_COMPONENTS, or below build/components where
/// packaging/components.sh unpacks them. Errors: not_found, with what to run.
Result<std::string> find_reference_plugins();
/// $PARTICLE_CNI, or `particle-cni` beside this program. Errors: not_found.
Result<std::string> find_particle_cni();

}  // namespace particle::bench
