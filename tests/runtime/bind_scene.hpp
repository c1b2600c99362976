// SPDX-License-Identifier: Apache-2.0
/// Containers of one pool that all serve one port on any address.
#pragma once

#include <string>
#include <vector>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"

namespace particle::test {

/// Says `name` to whoever connects, on any address.
inline std::vector<std::string> open_greeter(const std::string& name) {
  return {"greeter", "serve", name, "0.0.0.0"};
}

inline BundleSpec pool_member(const std::vector<std::string>& command,
                              const std::map<std::string, std::string>& annotations = {}) {
  BundleSpec spec;
  spec.command = command;
  spec.annotations = annotations;
  spec.annotations["io.particle.pool"] = "acme";
  return spec;
}

/// A node with a pool, and particle-runc over a real runtime.
struct BoundScene : Scene {
  Runtime runtime;

  explicit BoundScene(const std::string& mechanism, const std::string& program = "runc",
                      std::vector<std::string> launcher = {})
      : runtime(nodes.a, dir.path(), dir.path(), component(program),
                with(std::move(launcher), mechanism)) {
    must(a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/24", "fd00:1::/64"})));
  }
  ~BoundScene() {
    runtime.clear();
    static_cast<void>(a.delete_pool("acme", true));
  }
  BoundScene(const BoundScene&) = delete;
  BoundScene& operator=(const BoundScene&) = delete;

  static std::vector<std::string> with(std::vector<std::string> launcher,
                                       const std::string& mechanism) {
    launcher.emplace_back("env");
    launcher.push_back("PARTICLE_ENFORCE=" + mechanism);
    return launcher;
  }
  /// Starts a container; throws what particle-runc said when it does not come up.
  void start(const std::string& id, const BundleSpec& spec) {
    const CommandResult started = runtime.start(id, spec);
    if (started.exit_code != 0) throw std::runtime_error(id + ": " + started.err);
  }
  [[nodiscard]] std::string address(const std::string& id) const {
    return runtime.variable(id, "PARTICLE_IP");
  }
  /// What a container is told by the greeter at an address, after a while at most.
  [[nodiscard]] std::string ask(const std::string& id, const std::string& whom) const {
    std::string text;
    for (int tries = 0; text.empty() && tries < 20; ++tries) {
      text = runtime.exec(id, greeting_at(whom));
    }
    return text;
  }
  /// Where a container's bind to an address ends up; what was wrong when it is refused.
  [[nodiscard]] std::string bind(const std::string& id, const std::string& where) const {
    const CommandResult result = exec(id, {"greeter", "bind", where});
    const std::string text = result.exit_code == 0 ? result.out : result.err;
    return text.substr(0, text.find('\n'));
  }
  /// Where a container's listeners are, as the kernel has it.
  [[nodiscard]] std::string listeners(const std::string& id) const {
    return runtime.exec(id, {"netstat", "-ltn"});
  }
  [[nodiscard]] CommandResult exec(const std::string& id,
                                   const std::vector<std::string>& command) const {
    std::vector<std::string> words{"exec", id};
    words.insert(words.end(), command.begin(), command.end());
    return runtime.call(words);
  }
};

}  // namespace particle::test
