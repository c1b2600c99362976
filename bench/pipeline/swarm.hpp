// SPDX-License-Identifier: Apache-2.0
/// A pipeline's workers as containers of `docker run` on a Swarm overlay.
#pragma once

#include <memory>
#include <string>

#include <particle_sprocket/pipeline.hpp>

#include "engines/engine.hpp"

namespace particle::bench {

/// A dockerd with one Swarm node and one overlay, all gone with the object.
class Swarm {
 public:
  /// In the namespace of `place.node`, which has the address 192.0.2.1. Errors: those of start_engine().
  static Result<Swarm> start(const Place& place);

  /// `start` of a pipeline whose instances are containers: the image is a busybox, and sees the node's
  /// /usr and the worker's directory.
  [[nodiscard]] sprocket::StartJob containers();

 private:
  explicit Swarm(std::unique_ptr<Engine> docker) : docker_(std::move(docker)) {}

  std::unique_ptr<Engine> docker_;
  std::uint64_t started_ = 0;  ///< so far: each gets a name of its own
};

}  // namespace particle::bench
