// SPDX-License-Identifier: Apache-2.0
/// A pool on a node of its own, and commands that run as its endpoints.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "e2e/cli_program.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

namespace particle::test {

inline constexpr const char* kBindMechanisms[] = {"ebpf", "seccomp", "preload"};

class BindScene {
 public:
  BindScene() : nodes_(make_two_nodes()) {
    const CommandResult made =
        particle({"create-pool", "web", "--tenant", "acme", "--vni", "100", "--prefix",
                  "10.1.0.0/24", "--prefix", "fd00:1::/64", "--count", "200", "--cooldown", "0",
                  "--underlay-dev", kUnderlayDevice});
    if (made.exit_code != 0) throw std::runtime_error("create-pool: " + made.err);
  }
  BindScene(const BindScene&) = delete;
  BindScene& operator=(const BindScene&) = delete;
  ~BindScene() {
    // Commands that a test left to their destructor were killed, their control groups were not.
    static_cast<void>(particle({"gc"}));
    static_cast<void>(particle({"delete-pool", "web", "--force"}));
  }

  [[nodiscard]] CommandResult particle(std::vector<std::string> words) const {
    words.insert(words.begin(), {"--run-dir", run_dir_.path()});
    return run_particle(words, &nodes_.a);
  }
  /// The words of `particle run` with `options`, up to and with the `--`.
  [[nodiscard]] std::vector<std::string> run_words(const std::vector<std::string>& options,
                                                   const std::vector<std::string>& command) const {
    std::vector<std::string> words = {particle_program(), "--run-dir", run_dir_.path(), "run",
                                      "--pool",           "web"};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }
  /// Runs a command as an endpoint to its end.
  [[nodiscard]] CommandResult run(const std::vector<std::string>& options,
                                  const std::vector<std::string>& command) const {
    return run_command(run_words(options, command), &nodes_.a);
  }
  /// Starts one that stays.
  [[nodiscard]] std::unique_ptr<Command> start(const std::vector<std::string>& options,
                                               const std::vector<std::string>& command) const {
    return std::make_unique<Command>(run_words(options, command), &nodes_.a);
  }
  /// Runs a command in the pool's namespace as nobody in particular.
  [[nodiscard]] CommandResult outside(const std::vector<std::string>& command) const {
    std::vector<std::string> words = {"exec", "web", "--"};
    words.insert(words.end(), command.begin(), command.end());
    return particle(words);
  }
  [[nodiscard]] std::string leases() const { return particle({"list-leases", "web"}).out; }
  [[nodiscard]] const std::string& run_dir() const { return run_dir_.path(); }
  [[nodiscard]] const NetNs& node() const { return nodes_.a; }

 private:
  TempRunDir run_dir_;
  TwoNodes nodes_;
};

/// The built test program of this name.
inline std::string bind_program(const std::string& name) {
  return std::string(PARTICLE_TEST_BIN_DIR) + "/" + name;
}

/// Is the mechanism usable here? Otherwise skips, with the program's own words.
inline bool need_mechanism(const BindScene& scene, const std::string& mechanism) {
  const CommandResult result = scene.run({"--enforce", mechanism}, {"true"});
  if (result.exit_code != 0) skip("--enforce " + mechanism + ": " + result.err);
  return result.exit_code == 0;
}

inline std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace particle::test
