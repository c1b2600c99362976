// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "detach.hpp"

namespace particle::cni {

Answer<std::string> del(const Call& call) {
  // A configuration that has become invalid does not keep anything from being given back.
  const std::string pool = call.conf.fault ? std::string() : call.conf.spec.name;
  if (auto detached = detach(call, call.key(), pool); !detached)
    return refuse(std::move(detached.error()));
  call.made_pools().try_sweep();
  return std::string();
}

}  // namespace particle::cni
