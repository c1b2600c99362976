// SPDX-License-Identifier: Apache-2.0
/// Runs the built particle-cni as a container runtime does: environment, configuration on standard
/// input, answer on standard output.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <particle/node.hpp>

#include "support/netns_fixture.hpp"

namespace particle::test {

using Json = nlohmann::json;

/// $PARTICLE_CNI_BINARY, else the one this build made.
std::string cni_program();

/// Variables of one call; an empty value leaves the variable out.
using CniEnvironment = std::map<std::string, std::string>;

struct CniAnswer {
  int exit_code = -1;
  std::string out;
  std::string err;
  [[nodiscard]] Json json() const;
  /// The error's code; 0 after success, -1 when the output is no error object.
  [[nodiscard]] int code() const;
  [[nodiscard]] std::string message() const;
};

/// Two nodes, a run directory, containers (pinned namespaces), and a configuration to start from.
class CniScene {
 public:
  CniScene();

  /// A network namespace bind-mounted at a file, as a CRI runtime makes one. Made on first use.
  std::string container(const std::string& id);
  /// Tenant acme, 10.1.0.0/24 with 8 endpoints, run directory and underlay of this scene.
  [[nodiscard]] Json conf(const std::string& version = "1.1.0") const;

  /// The usual variables for a container; overrides replace them.
  CniEnvironment environment(const std::string& verb, const std::string& id,
                             const CniEnvironment& overrides = {});
  CniAnswer call(const CniEnvironment& environment, const std::string& input) const;
  CniAnswer call_program(const std::string& program, const CniEnvironment& environment,
                         const std::string& input) const;
  CniAnswer call(const std::string& verb, const std::string& id, const Json& conf,
                 const CniEnvironment& overrides = {});
  /// ADD that must succeed; its result.
  Json add(const std::string& id, const Json& conf, const CniEnvironment& overrides = {});
  void del(const std::string& id, const Json& conf, const CniEnvironment& overrides = {});

  [[nodiscard]] const NetNs& node_netns() const { return nodes_.a; }
  [[nodiscard]] Node node() const;
  [[nodiscard]] std::string run_dir() const { return dir_.file("run"); }
  [[nodiscard]] std::string file(const std::string& name) const { return dir_.file(name); }
  /// What is below the run directory; empty after everything was given back.
  [[nodiscard]] std::vector<std::string> leftovers() const;

 private:
  TempRunDir dir_;
  TwoNodes nodes_;
  mutable std::atomic<unsigned> calls_{0};
};

/// The directory of the reference plugins; empty, and the test skipped, where there is none.
std::string reference_plugins();

/// The address of `ips[index]` without its prefix length.
std::string address_of(const Json& result, std::size_t index = 0);

}  // namespace particle::test
