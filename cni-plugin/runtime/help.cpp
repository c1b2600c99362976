// SPDX-License-Identifier: Apache-2.0
#include "help.hpp"

#include <cstdio>

#include <particle/version.hpp>

namespace particle::runtime {
namespace {

constexpr const char* kHelp =
    R"(particle-runc: an OCI runtime that puts containers into their tenant's pool

It takes every command line of runc or crun and hands it on. `create` and `run` of a container
that asks for a pool lease an endpoint, let the container join the pool's network namespace and
set PARTICLE_POOL, PARTICLE_IP and PARTICLE_IP6 in it; `delete` gives the lease back. All other
containers pass through untouched.

A container asks for a pool by
  annotation io.particle.pool=POOL         and, to name the address, io.particle.ip=ADDRESS
  environment PARTICLE_POOL=POOL           and PARTICLE_IP=ADDRESS (Docker has no annotations)
It is kept to its address by the bind enforcer; annotations change how:
  io.particle.enforce=auto|ebpf|seccomp|off, io.particle.policy=rewrite|strict,
  io.particle.allow-raw=true

Usage:
  particle-runc [RUNC'S OPTIONS] VERB ...  as runc; `particle-runc --help` is runc's
  particle-runc --particle-help            this text
  particle-runc --particle-version         Particle's version
  particle-runc --particle-gc              give back what belongs to containers that are gone

Environment:
  PARTICLE_RUNC         the real runtime (default: the first runc, else crun, in PATH)
  PARTICLE_RUN_DIR      where pools and leases are recorded (default: /run/particle)
  PARTICLE_ENFORCE      auto, ebpf, seccomp or off, for containers that do not say (default: auto)
  PARTICLE_RUNC_CONFIG  settings (default: /etc/particle/particle-runc.json), such as
                        {"runtime": "/usr/sbin/runc", "runDir": "/run/particle",
                         "poolFromEnvironment": true, "enforce": "auto"}

Examples:
  ctr run --runc-binary particle-runc --annotation io.particle.pool=acme IMAGE web-1
  docker run --runtime particle --network none -e PARTICLE_POOL=acme IMAGE
)";

}  // namespace

int print_help() {
  return std::fputs(kHelp, stdout) >= 0 ? 0 : 1;
}

int print_version() {
  return std::printf("particle-runc %s\n", kVersion) >= 0 ? 0 : 1;
}

}  // namespace particle::runtime
