// SPDX-License-Identifier: Apache-2.0
/// A container engine that was started for the benchmark alone, and how it is told to run containers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engines/box.hpp"

namespace particle::bench {

/// How the containers of a burst are connected.
enum class Network : std::uint8_t {
  none,     ///< a network namespace with nothing but lo
  bridge,   ///< the engine's usual bridge
  overlay,  ///< the engine's own overlay between nodes
  pool,     ///< a pool, by particle-runc
};

enum class EngineKind : std::uint8_t { containerd, docker, podman };

struct Place {
  const NetNs& node;      ///< has the underlay and the pools
  std::string directory;  ///< for files, on tmpfs; one for each engine
  std::string run_dir;    ///< of the pools
};

class Engine {
 public:
  explicit Engine(Box box) : box_(std::move(box)) {}
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// Whatever the network needs that does not belong to a single container. Idempotent.
  [[nodiscard]] virtual Result<void> prepare(Network /*network*/) { return {}; }
  /// Starts a container that waits, and returns when it runs.
  [[nodiscard]] virtual Words run_words(Network network, const std::string& pool,
                                        const std::string& id) const = 0;
  /// What removes a container, command by command; all containers take the first, then the next.
  [[nodiscard]] virtual std::vector<Words> removal_words(const std::string& id) const = 0;
  /// Prints something for each container that runs, a line each.
  [[nodiscard]] virtual Words list_words() const = 0;
  /// Runs `words` in a container.
  [[nodiscard]] virtual Words exec_words(const std::string& id, const Words& words) const = 0;
  [[nodiscard]] const Box& box() const { return box_; }

 private:
  Box box_;
};

/// What an engine needs that is not here, as "no dockerd: apt install docker.io"; else empty.
std::string missing_for(EngineKind kind, Network network);

/// Starts it, gives it the image and waits until it answers. Errors: not_found, kernel, busy.
Result<std::unique_ptr<Engine>> start_engine(EngineKind kind, const Place& place);

/// Milliseconds from the first call until every container runs.
Result<double> start_containers(const Engine& engine, Network network, const std::string& pool,
                                const std::vector<std::string>& ids, const std::stop_token& stop);
/// Milliseconds until all are removed.
Result<double> remove_containers(const Engine& engine, const std::vector<std::string>& ids);
/// They run, and the last has just the network it should. Errors: conflict, with what is wrong.
Result<void> check_containers(const Engine& engine, Network network,
                              const std::vector<std::string>& ids);

}  // namespace particle::bench
