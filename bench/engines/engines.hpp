// SPDX-License-Identifier: Apache-2.0
/// How each engine is started; see start_engine().
#pragma once

#include "engines/engine.hpp"

namespace particle::bench {

Result<std::unique_ptr<Engine>> start_containerd(const Place& place, const std::string& image);
Result<std::unique_ptr<Engine>> start_docker(const Place& place, const std::string& image);
Result<std::unique_ptr<Engine>> start_podman(const Place& place, const std::string& image);

}  // namespace particle::bench
