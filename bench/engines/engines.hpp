// SPDX-License-Identifier: Apache-2.0
/// How each engine is started; see start_engine().
#pragma once

#include "engines/engine.hpp"

namespace particle::bench {

Result<std::unique_ptr<Engine>> start_containerd(const Place& place, const std::string& image);
Result<std::unique_ptr<Engine>> start_docker(const Place& place, const std::string& image);
/// Words that run `command` in a container of Docker's in the foreground, with the caller's streams, and
/// remove it when it ends. `options` are further ones of `docker run`.
Words attached_docker_words(const Engine& docker, Network network, const std::string& id,
                            const Words& options, const Words& command);
Result<std::unique_ptr<Engine>> start_podman(const Place& place, const std::string& image);

}  // namespace particle::bench
