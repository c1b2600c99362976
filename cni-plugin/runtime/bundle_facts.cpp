// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "bundle.hpp"

namespace particle::runtime {
namespace {

/// How an engine names pods in annotations.
struct PodAnnotations {
  std::string_view type;
  std::string_view sandbox_id;
};
constexpr std::array<PodAnnotations, 2> kEngines{{
    {"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},    // containerd
    {"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},  // CRI-O
}};

void read_role(const JsonText& config, const JsonValue& annotations, BundleFacts& facts) {
  for (const PodAnnotations& engine : kEngines) {
    const auto type = config.string(annotations, engine.type);
    if (!type) continue;
    facts.role = *type == "sandbox" ? Role::sandbox : Role::member;
    facts.sandbox = config.string(annotations, engine.sandbox_id).value_or("");
    return;
  }
}

/// The last one counts, as with the shell's export.
std::optional<std::string> variable(const JsonText& config, const std::string& name) {
  const JsonValue* process = config.root().find("process");
  const JsonValue* env = process == nullptr ? nullptr : process->find("env");
  std::optional<std::string> found;
  if (env == nullptr) return found;
  for (const JsonValue& item : env->items) {
    const auto text = config.string(&item);
    if (text && text->starts_with(name + "=")) found = text->substr(name.size() + 1);
  }
  return found;
}

std::optional<std::string> mount_source(const JsonText& config, std::string_view destination) {
  const JsonValue* mounts = config.root().find("mounts");
  std::optional<std::string> found;
  if (mounts == nullptr) return found;
  for (const JsonValue& mount : mounts->items) {
    if (config.string(mount, "destination") == destination) found = config.string(mount, "source");
  }
  return found;
}

/// An annotation or variable that is there but empty asks for nothing.
std::optional<std::string> unless_empty(std::optional<std::string> text) {
  return text && text->empty() ? std::nullopt : text;
}

}  // namespace

BundleFacts read_facts(const JsonText& config, bool from_environment) {
  BundleFacts facts;
  const JsonValue none;
  const JsonValue* annotations = config.root().find("annotations");
  if (annotations == nullptr) annotations = &none;
  read_role(config, *annotations, facts);
  facts.pool = unless_empty(config.string(*annotations, kPoolAnnotation));
  facts.ip = unless_empty(config.string(*annotations, kIpAnnotation));
  if (!facts.pool && facts.role == Role::plain && from_environment) {
    facts.pool = unless_empty(variable(config, "PARTICLE_POOL"));
    if (facts.pool && !facts.ip) facts.ip = unless_empty(variable(config, "PARTICLE_IP"));
  }
  facts.enforce = unless_empty(config.string(*annotations, kEnforceAnnotation));
  facts.policy = unless_empty(config.string(*annotations, kPolicyAnnotation));
  facts.allow_raw = config.string(*annotations, kAllowRawAnnotation) == "true";
  facts.hostname = config.string(config.root(), "hostname").value_or("");
  facts.hosts_source = mount_source(config, "/etc/hosts");
  return facts;
}

}  // namespace particle::runtime
