// SPDX-License-Identifier: Apache-2.0
#include "engines/engine.hpp"

#include <algorithm>
#include <chrono>

#include <unistd.h>

#include "engines/engines.hpp"
#include "engines/image.hpp"

namespace particle::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Need {
  const char* program;
  const char* package;
};

std::vector<Need> needs_of(EngineKind kind) {
  switch (kind) {
    case EngineKind::containerd:
      return {{"containerd", "containerd"}, {"ctr", "containerd"}};
    case EngineKind::docker:
      return {{"dockerd", "docker.io"}, {"docker", "docker.io"}};
    case EngineKind::podman:
      return {{"podman", "podman"}, {"conmon", "conmon"}, {"netavark", "netavark"}};
  }
  return {};
}

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// Does what `ip -oneline -4 address` printed hold an address beside lo's?
bool has_address(const std::string& text) {
  for (std::size_t at = text.find("inet "); at != std::string::npos;
       at = text.find("inet ", at + 1)) {
    if (text.compare(at, 9, "inet 127.") != 0) return true;
  }
  return false;
}

}  // namespace

std::string missing_for(EngineKind kind, Network network) {
  if (::geteuid() != 0) return "container engines need root";
  std::vector<Need> needs = needs_of(kind);
  for (const Need& need : {Need{"runc", "runc"}, Need{"busybox", "busybox-static"}}) {
    needs.push_back(need);
  }
  for (const Need& need : needs) {
    if (find_program(need.program)) continue;
    return std::string("there is no ") + need.program + ": apt install " + need.package +
           " (nothing is started by the system, nor changed in it)";
  }
  if (!find_program("tini-static") && !find_program("tini")) {
    return "there is no tini: apt install tini";
  }
  const bool rules = network == Network::bridge && kind != EngineKind::containerd;
  if ((rules || kind == EngineKind::docker) && !find_program("iptables") &&
      !find_program("iptables-legacy")) {
    return "there is no iptables: apt install iptables";
  }
  if (kind == EngineKind::containerd && network == Network::bridge &&
      !find_directory("usr/lib/cni")) {
    return "there are no reference CNI plugins: apt install containernetworking-plugins";
  }
  if (network == Network::pool &&
      ::access((own_directory() + "/particle-runc").c_str(), X_OK) != 0) {
    return "there is no particle-runc beside this program";
  }
  return {};
}

Result<std::unique_ptr<Engine>> start_engine(EngineKind kind, const Place& place) {
  sweep_control_groups();
  auto image = make_image(place.directory);
  if (!image) return fail(std::move(image.error()));
  switch (kind) {
    case EngineKind::containerd:
      return start_containerd(place, *image);
    case EngineKind::docker:
      return start_docker(place, *image);
    case EngineKind::podman:
      break;
  }
  return start_podman(place, *image);
}

Result<double> start_containers(const Engine& engine, Network network, const std::string& pool,
                                const std::vector<std::string>& ids, const std::stop_token& stop) {
  std::vector<Words> commands;
  commands.reserve(ids.size());
  for (const auto& id : ids) commands.push_back(engine.run_words(network, pool, id));
  const auto start = Clock::now();
  if (auto done = engine.box().run_all(commands, stop); !done) {
    return fail(std::move(done.error()));
  }
  return ms_since(start);
}

Result<double> remove_containers(const Engine& engine, const std::vector<std::string>& ids) {
  if (ids.empty()) return 0.0;
  const std::size_t stages = engine.removal_words(ids.front()).size();
  const auto start = Clock::now();
  for (std::size_t stage = 0; stage < stages; ++stage) {
    std::vector<Words> commands;
    commands.reserve(ids.size());
    for (const auto& id : ids) commands.push_back(engine.removal_words(id).at(stage));
    if (auto done = engine.box().run_all(commands, {}); !done) {
      return fail(std::move(done.error()));
    }
  }
  return ms_since(start);
}

Result<void> check_containers(const Engine& engine, Network network,
                              const std::vector<std::string>& ids) {
  const auto running = engine.box().output_of(engine.list_words());
  if (!running) return fail(running.error());
  if (lines_of(*running) != ids.size()) {
    return fail(Error::of(
        Errc::conflict,
        std::to_string(lines_of(*running)) + " containers run, not " + std::to_string(ids.size())));
  }
  const auto seen =
      engine.box().output_of(engine.exec_words(ids.back(), {"ip", "-oneline", "-4", "address"}));
  if (!seen) return fail(seen.error());
  if (has_address(*seen) == (network != Network::none)) return {};
  return fail(Error::of(
      Errc::conflict,
      "container " + ids.back() + (network == Network::none ? " has" : " lacks") + " an address"));
}

}  // namespace particle::bench
