// SPDX-License-Identifier: Apache-2.0
/// Which instance of a job runs where, when, and how often: the coordinator's decisions, without its
/// connections. Pure; everything that happens comes in as a call, everything to be done goes out by
/// take_starts() and take_events().
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <particle_fleet/job.hpp>

namespace particle::fleet {

class Schedule {
 public:
  using Time = std::chrono::system_clock::time_point;

  struct Start {
    std::string node;
    std::uint32_t attempt = 0;
    InstanceSpec instance;
  };

  /// `self`: the name under which waiting instances appear in events.
  Schedule(JobSpec job, std::string self);

  /// `room`: endpoints that are free there; a node gets no more instances than that at once, and one
  /// even without room, which then waits there for an endpoint to become free.
  void add_node(const std::string& name, std::uint64_t room);
  /// Its instances are lost: they are started anew elsewhere while retries and nodes are left.
  void lose_node(const std::string& name, const std::string& why, Time now);

  /// Errors: invalid_argument (all at once), already_exists, not_found for a node. Takes all or none.
  Result<void> add(std::vector<InstanceSpec> instances, Time now);
  /// What the share of the job on `node` for `attempt` says.
  void hear(const std::string& node, std::uint32_t attempt, Event event);
  /// A start was refused by its node: by the launcher, not by the instance's command.
  void refuse(const Start& start, const Error& error, Time now);
  /// Nothing is started any more; what waits ends as killed.
  void kill(Time now);
  void finish() noexcept { finishing_ = true; }

  /// Where an instance is now.
  struct Place {
    std::string node;
    std::uint32_t attempt = 0;
  };
  [[nodiscard]] std::optional<Place> place_of(std::uint64_t instance) const;
  /// An instance that waits for its turn: its input can still be changed.
  [[nodiscard]] InstanceSpec* waiting(std::uint64_t instance);
  /// Ends a waiting instance as killed.
  void kill_waiting(std::uint64_t instance, Time now);

  /// What is to be started now; it counts as started.
  std::vector<Start> take_starts();
  std::vector<Event> take_events();
  [[nodiscard]] bool over() const noexcept { return finishing_ && alive_ == 0; }
  [[nodiscard]] std::uint64_t alive() const noexcept { return alive_; }

 private:
  enum class State : std::uint8_t { waiting, placed, ended };
  struct Instance {
    InstanceSpec spec;
    State state = State::waiting;
    std::uint32_t attempt = 0;
    std::string node;
    std::set<std::string> failed_on;
    bool was_told = false;  ///< that it has to wait
  };
  struct NodeState {
    std::uint64_t room = 0;
    std::uint64_t placed = 0;
    bool alive = false;
  };

  void queue(Instance& instance, Time now);
  void end(Instance& instance, Event event);
  [[nodiscard]] Event event_of(const Instance& instance, Phase phase, Time now) const;
  [[nodiscard]] Event ended_event(const Instance& instance, Ended ended, std::string why,
                                  Time now) const;
  void lose(Instance& instance, const std::string& why, Time now);
  void refuse_hopeless(Time now);
  [[nodiscard]] bool has_room(const NodeState& node) const noexcept;
  [[nodiscard]] const std::string* choose(const Instance& instance);
  [[nodiscard]] const std::string* next_in_turn(const std::set<std::string>& avoid);
  [[nodiscard]] const std::string* most_free(const std::set<std::string>& avoid) const;
  [[nodiscard]] std::size_t living_nodes() const noexcept;
  void tell_who_waits(Time now);

  JobSpec job_;
  std::string self_;
  std::map<std::string, NodeState> nodes_;
  std::string last_;  ///< the node that got the latest instance, for round robin
  std::map<std::uint64_t, Instance> instances_;
  std::deque<std::uint64_t> waiting_;
  std::vector<Event> events_;
  std::uint64_t placed_ = 0;
  std::uint64_t alive_ = 0;
  Time now_;
  bool finishing_ = false;
  bool killed_ = false;
};

}  // namespace particle::fleet
