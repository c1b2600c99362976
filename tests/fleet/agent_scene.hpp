// SPDX-License-Identifier: Apache-2.0
/// What the agents' tests have in common: nodes on one underlay, each with a pool of one tenant that the
/// others know, and the built programs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/node.hpp>

#include "launcher_scene.hpp"
#include "support/fabric.hpp"

namespace particle::test {

/// A secret file for agents, which differs with `first`, a hexadecimal digit. Returns its path.
std::string make_secret(const std::string& path, char first);

class FleetScene {
 public:
  /// Pool "job" of `endpoints` addresses on each node; 10.50.(i+1).1 is the first of node i.
  explicit FleetScene(std::size_t nodes, std::uint64_t endpoints = 16);
  FleetScene(const FleetScene&) = delete;
  FleetScene& operator=(const FleetScene&) = delete;
  /// Stops the agents and checks that nothing is left on any node.
  ~FleetScene();

  /// Starts `particle fleet agent` on a node, with all others as its peers, and waits until it listens.
  Command& start_agent(std::size_t node);
  void start_agents();
  /// How agents that are started from now on know each other: options of `fleet agent`. At first they
  /// share a secret file.
  void secure_all(const std::vector<std::string>& options);
  void secure(std::size_t node, const std::vector<std::string>& options) {
    security_.at(node) = options;
  }
  /// Agents that are started from now on find each other by these options, not by a list.
  void use_directory(const std::vector<std::string>& options) { directory_ = options; }
  /// kill -9, and waits for its end.
  void kill_agent(std::size_t node);
  /// One that was ended and waited for.
  void forget_agent(std::size_t node) { agents_.at(node).reset(); }
  [[nodiscard]] Command& agent(std::size_t node) { return *agents_.at(node); }
  [[nodiscard]] std::string socket(std::size_t node) const;

  /// The arguments of `particle fleet run` for the pool and image, then `more`.
  [[nodiscard]] std::vector<std::string> run_arguments(const std::vector<std::string>& more) const;
  /// `particle fleet ...` on a node.
  [[nodiscard]] CommandResult fleet(std::size_t node, const std::vector<std::string>& words) const;
  /// `particle fleet run --json` on a node: its result. Fails when it printed no JSON.
  [[nodiscard]] nlohmann::json run(std::size_t node, const std::vector<std::string>& more) const;
  /// The whole command line of `particle fleet ...`.
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& words) const;

  [[nodiscard]] const Node& node(std::size_t index) const { return nodes_.at(index); }
  [[nodiscard]] const NetNs& netns(std::size_t index) const { return fabric_.nodes.at(index); }
  /// Where the nodes' underlay meets.
  [[nodiscard]] const NetNs& switch_netns() const { return fabric_.switch_netns; }
  [[nodiscard]] const std::string& image() const { return image_.path(); }
  [[nodiscard]] const std::string& directory() const { return dir_.path(); }
  [[nodiscard]] std::string file(const std::string& name) const { return dir_.file(name); }
  /// How many endpoints of all nodes are leased.
  [[nodiscard]] std::uint64_t leased() const;
  static std::string name_of(std::size_t node) { return "n" + std::to_string(node + 1); }
  static std::string address_of(std::size_t node);

 private:
  TempRunDir dir_;
  BusyboxImage image_;
  Fabric fabric_;
  std::vector<Node> nodes_;
  std::vector<std::unique_ptr<Command>> agents_;
  std::vector<std::vector<std::string>> security_;  ///< by node
  std::vector<std::string> directory_;
};

/// Is `part` in `text`? Shows the text when it is not.
bool holds(const std::string& text, const std::string& part);

/// Until the condition holds; false when the time is over.
template <class Condition>
bool eventually(const Condition& condition, std::chrono::milliseconds limit = 15s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(20'000);
  }
  return true;
}

}  // namespace particle::test
