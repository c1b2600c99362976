// SPDX-License-Identifier: Apache-2.0
#include "pipeline/swarm.hpp"

#include <filesystem>

#include <particle_sprocket/local_job.hpp>

#include "engines/engines.hpp"
#include "pipeline/spread_job.hpp"

namespace particle::bench {
namespace {

/// The first of a container's two devices is the overlay's; its address is what the worker listens at.
constexpr const char* kOnOverlay =
    R"(PARTICLE_IP=$(/bin/busybox ip -oneline -4 address show dev eth0)
PARTICLE_IP=${PARTICLE_IP#*inet }
export PARTICLE_IP=${PARTICLE_IP%%/*}
exec "$@")";

/// What a program of the node needs of it, the libraries where their names say.
Words node_inside() {
  Words out;
  for (const char* library : {"/lib", "/lib64"}) {
    std::error_code failed;
    const std::string real = std::filesystem::canonical(library, failed);
    if (!failed) out.insert(out.end(), {"--volume", real + ":" + library + ":ro"});
  }
  const std::string own = own_directory();
  for (const std::string& each : {std::string("/usr"), own}) {
    out.insert(out.end(), {"--volume", each + ":" + each + ":ro"});
  }
  return out;
}

}  // namespace

Result<Swarm> Swarm::start(const Place& place) {
  auto docker = start_engine(EngineKind::docker, place);
  if (!docker) return fail(std::move(docker.error()));
  if (auto done = (*docker)->prepare(Network::overlay); !done) return fail(std::move(done.error()));
  return Swarm(*std::move(docker));
}

sprocket::StartJob Swarm::containers() {
  return [this](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    const auto contain = [this, worker = job.function.command](fleet::InstanceSpec& instance,
                                                               std::size_t /*node*/) {
      Words command{"/bin/busybox", "sh", "-c", kOnOverlay, "sh"};
      command.insert(command.end(), worker.begin(), worker.end());
      const std::string name = "worker-" + std::to_string(++started_);
      instance.command = docker_->box().inside(
          attached_docker_words(*docker_, Network::overlay, name, node_inside(), command));
    };
    return SpreadJob::start(
        1,
        [&](std::size_t, fleet::JobObserver& one) { return sprocket::start_local_job(job, one); },
        contain, observer);
  };
}

}  // namespace particle::bench
