// SPDX-License-Identifier: Apache-2.0
/// The built-in backend: a `particle-spawn` process per job.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <particle/node.hpp>
#include <particle_bind/container.hpp>
#include <particle_fleet/job.hpp>

#include "launcher/bind_agent.hpp"
#include "launcher/limit_groups.hpp"
#include "launcher/spawner_link.hpp"
#include "launcher/starter.hpp"
#include "launcher/workplace.hpp"

namespace particle::fleet {

class Builtin : public Starter {
 public:
  /// Errors: those of SpawnerLink::start() and LimitGroups::prepare(); unsupported for enforcers but ebpf
  /// and seccomp; those of BindAgent::start().
  static Result<std::unique_ptr<Starter>> open(const Workplace& place);
  ~Builtin() override;

  [[nodiscard]] pid_t process() const override { return link_.pid(); }
  void begin(std::vector<Begin> instances) override;
  void signal(std::uint64_t token, int number) override;
  void kill_all() override;
  void kill_hard() override { link_.kill(); }
  [[nodiscard]] int fd() const override { return link_.fd(); }
  [[nodiscard]] bool wants_to_write() const override { return link_.has_waiting(); }
  Result<std::vector<Progress>> pump() override;

 private:
  Builtin(const Workplace& place, std::unique_ptr<BindAgent> agent, SpawnerLink link,
          LimitGroups limits)
      : node_(*place.node),
        container_("fleet-" + place.job.id),
        pool_netns_(place.pool.netns_path),
        agent_(std::move(agent)),
        link_(std::move(link)),
        limits_(std::move(limits)),
        in_groups_(place.enforce == bind::Mechanism::ebpf) {}
  Result<void> ensure_groups(const std::vector<Begin>& instances);
  void begin_one(Begin& instance);
  Result<UniqueFd> open_group(std::uint64_t endpoint);
  void refuse(std::uint64_t token, const Error& error);
  Progress settle(const spawn::Happened& one);

  const Node& node_;
  std::string container_;  ///< the enforcer's name for the job's groups
  std::string pool_netns_;
  std::unique_ptr<BindAgent> agent_;  ///< of mechanism seccomp
  SpawnerLink link_;
  LimitGroups limits_;
  bool in_groups_;  ///< by mechanism ebpf
  /// By the endpoint's number. Open only from their making to their first instance: descriptors are few.
  std::map<std::uint64_t, bind::EndpointGroup> groups_;
  std::map<std::uint64_t, LimitGroups::Instance> limited_;  ///< by token
  std::vector<Progress> refused_;
};

}  // namespace particle::fleet
