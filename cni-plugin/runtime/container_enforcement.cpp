// SPDX-License-Identifier: Apache-2.0
#include "container_enforcement.hpp"

#include <filesystem>

#include <particle_bind/container.hpp>

#include "agent.hpp"
#include "enforcement_record.hpp"
#include "files.hpp"
#include "seccomp_profile.hpp"

namespace particle::runtime {
namespace {

namespace fs = std::filesystem;

/// Whoever says most precisely what it wants is heard.
std::string wanted_mechanism(const Settings& settings, const EnforcedContainer& container) {
  if (container.facts.enforce) return *container.facts.enforce;
  const std::string& network = container.held.enforce;
  return network.empty() || network == "auto" ? settings.enforce : network;
}

Result<bind::Mechanism> choose(const std::string& wanted) {
  const auto mechanism = bind::parse_mechanism(wanted);
  if (!mechanism) return fail(mechanism.error());
  if (*mechanism == bind::Mechanism::preload) {
    return fail(Error::of(Errc::unsupported, "enforce a container by preload",
                          "the library is the host's, and may not fit the image's C library; use "
                          "ebpf"));
  }
  const auto choice = bind::choose(*mechanism);
  if (!choice) return fail(choice.error());
  return choice->mechanism;
}

Result<EnforcementRecord> describe(const EnforcedContainer& container, const std::string& run_dir,
                                   bind::Mechanism mechanism) {
  const fs::path directory = container.directory;
  EnforcementRecord record;
  record.container = directory.filename();
  record.netns_path = container.held.netns_path;
  record.spec.run_dir = run_dir;
  record.spec.node_id = directory.parent_path().filename();
  record.spec.lease.pool = container.held.pool;
  record.spec.lease.holder = container.held.holder;
  record.spec.lease.endpoint = container.held.endpoint;
  record.spec.mechanism = mechanism;
  record.spec.allow_raw = container.facts.allow_raw;
  if (container.facts.policy) {
    const auto policy = bind::parse_policy(*container.facts.policy);
    if (!policy) return fail(policy.error());
    if (*policy == bind::Policy::audit) {
      return fail(Error::of(Errc::unsupported, "enforce a container with policy audit",
                            "nobody would read what it says; try the program with `particle run "
                            "--policy audit`"));
    }
    record.spec.policy = *policy;
  }
  return record;
}

/// What no hook decides call by call: reconfiguring the pool, and packet sockets.
std::vector<std::string> capabilities_to_drop(bool allow_raw) {
  std::vector<std::string> names{"CAP_NET_ADMIN"};
  if (!allow_raw) names.emplace_back("CAP_NET_RAW");
  return names;
}

/// By ebpf: once the container's first process is there, and before it runs the container's program.
Result<void> add_hook(BundleChanges& bundle, const std::string& directory) {
  std::error_code failed;
  const fs::path self = fs::read_symlink("/proc/self/exe", failed);
  if (failed) return fail(Error::from_errno(failed.value(), "read /proc/self/exe"));
  bundle.create_runtime_hooks.push_back(R"({"path":)" + json_string(self.string()) +
                                        R"(,"args":["particle-runc","--particle-enforce",)" +
                                        json_string(directory) + "]}");
  return {};
}

/// By seccomp: the runtime installs the filter and hands its listener to the node's agent.
Result<void> add_filter(BundleChanges& bundle, const EnforcedContainer& container,
                        const EnforcementRecord& record) {
  auto socket = ensure_agent(record.spec.run_dir, record.spec.node_id);
  if (!socket) return fail(std::move(socket.error()));
  auto profile = with_rules(container.config, bind::rules_for_endpoint(record.spec.allow_raw),
                            {*std::move(socket), container.directory});
  if (!profile) return fail(std::move(profile.error()));
  bundle.seccomp = *std::move(profile);
  return {};
}

}  // namespace

Result<void> ContainerEnforcement::prepare(BundleChanges& bundle,
                                           const EnforcedContainer& container) {
  // Alone in its namespace, it has no siblings.
  if (container.held.in_place) return {};
  const auto mechanism = choose(wanted_mechanism(settings_, container));
  if (!mechanism) return fail(mechanism.error());
  if (*mechanism == bind::Mechanism::off) return {};
  const auto record = describe(container, settings_.run_dir, *mechanism);
  if (!record) return fail(record.error());
  // First: the agent does not end while there is one.
  auto done = replace_file(enforcement_path(container.directory), to_text(*record));
  if (!done) return done;
  bundle.dropped_capabilities = capabilities_to_drop(record->spec.allow_raw);
  return *mechanism == bind::Mechanism::ebpf ? add_hook(bundle, container.directory)
                                             : add_filter(bundle, container, *record);
}

Result<void> ContainerEnforcement::join(BundleChanges& process, const std::string& directory) {
  const auto record = read_enforcement(directory);
  if (!record) return fail(record.error());
  if (!*record) return {};
  process.dropped_capabilities = capabilities_to_drop((*record)->spec.allow_raw);
  return bind::join_container((*record)->spec.run_dir, (*record)->spec.node_id,
                              (*record)->container);
}

Result<void> ContainerEnforcement::release(const std::string& directory) {
  if (!exists(enforcement_path(directory))) return {};
  // By the directory's own name: a record that cannot be read is no reason to leave anything.
  const fs::path path = directory;
  return bind::release_container(settings_.run_dir, path.parent_path().filename(), path.filename());
}

}  // namespace particle::runtime
