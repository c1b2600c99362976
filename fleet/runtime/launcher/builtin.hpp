// SPDX-License-Identifier: Apache-2.0
/// The built-in backend: a `particle-spawn` process per job.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <particle/node.hpp>
#include <particle_bind/container.hpp>
#include <particle_fleet/job.hpp>

#include "launcher/limit_groups.hpp"
#include "launcher/spawner_link.hpp"
#include "launcher/starter.hpp"
#include "launcher/workplace.hpp"

namespace particle::fleet {

class Builtin : public Starter {
 public:
  /// Errors: those of SpawnerLink::start() and LimitGroups::prepare(); unsupported for an enforcer but ebpf.
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
  Builtin(const Workplace& place, SpawnerLink link, LimitGroups limits, bool enforced)
      : node_(*place.node),
        container_("fleet-" + place.job.id),
        pool_netns_(place.pool.netns_path),
        link_(std::move(link)),
        limits_(std::move(limits)),
        enforced_(enforced) {}
  Result<void> ensure_groups(const std::vector<Begin>& instances);
  void begin_one(Begin& instance);
  Result<UniqueFd> open_group(std::uint64_t endpoint);
  void refuse(std::uint64_t token, const Error& error);
  Progress settle(const spawn::Happened& one);

  const Node& node_;
  std::string container_;  ///< the enforcer's name for the job's groups
  std::string pool_netns_;
  SpawnerLink link_;
  LimitGroups limits_;
  bool enforced_;
  /// By the endpoint's number. Open only from their making to their first instance: descriptors are few.
  std::map<std::uint64_t, bind::EndpointGroup> groups_;
  std::map<std::uint64_t, LimitGroups::Instance> limited_;  ///< by token
  std::vector<Progress> refused_;
};

}  // namespace particle::fleet
