// SPDX-License-Identifier: Apache-2.0
/// The paths below a node's directory. Pure.
///
///     <run dir>/node-<boot>-<cookie>/
///       leases.db
///       vnis/<vni> -> ../tenants/<tenant>   reserves the VNI on this node
///       ports/<protocol>-<port> -> ../pools/<name>   reserves a published port
///       pools/<name>/        pool.json, netns (pin), endpoint-<i> (pins, isolation container),
///                            guest-<i> (the pin is of a container's own namespace)
///                            intent.json while being made, resize.json, removing.json
///       tenants/<tenant>/    tenant.json, peers.json, vtep (pin), intent.json while being made
///       tenants/<tenant>/pools/<name> -> ../../../pools/<name>
#pragma once

#include <cstdint>
#include <string>

#include <particle/plan.hpp>

namespace particle {

class Layout {
 public:
  explicit Layout(std::string node_directory) : root_(std::move(node_directory)) {}

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] std::string leases() const { return root_ + "/leases.db"; }
  [[nodiscard]] std::string pools() const { return root_ + "/pools"; }
  [[nodiscard]] std::string tenants() const { return root_ + "/tenants"; }

  [[nodiscard]] std::string vnis() const { return root_ + "/vnis"; }
  [[nodiscard]] std::string vni(std::uint32_t vni) const {
    return vnis() + "/" + std::to_string(vni);
  }

  [[nodiscard]] std::string ports() const { return root_ + "/ports"; }
  [[nodiscard]] std::string port(const std::string& name) const { return ports() + "/" + name; }

  [[nodiscard]] std::string pool(const std::string& name) const { return pools() + "/" + name; }
  [[nodiscard]] std::string pool_record(const std::string& name) const {
    return pool(name) + "/pool.json";
  }
  [[nodiscard]] std::string pool_intent(const std::string& name) const {
    return pool(name) + "/intent.json";
  }
  [[nodiscard]] std::string pool_resize(const std::string& name) const {
    return pool(name) + "/resize.json";
  }
  [[nodiscard]] std::string pool_removing(const std::string& name) const {
    return pool(name) + "/removing.json";
  }
  [[nodiscard]] std::string pool_pin(const std::string& name) const {
    return pool(name) + "/netns";
  }
  [[nodiscard]] std::string endpoint_pin(const std::string& name, std::uint64_t index) const {
    return pool(name) + "/endpoint-" + std::to_string(index);
  }

  [[nodiscard]] std::string guest_record(const std::string& name, std::uint64_t index) const {
    return pool(name) + "/guest-" + std::to_string(index);
  }

  [[nodiscard]] std::string tenant(const std::string& name) const { return tenants() + "/" + name; }
  [[nodiscard]] std::string tenant_record(const std::string& name) const {
    return tenant(name) + "/tenant.json";
  }
  [[nodiscard]] std::string tenant_intent(const std::string& name) const {
    return tenant(name) + "/intent.json";
  }
  [[nodiscard]] std::string tenant_peers(const std::string& name) const {
    return tenant(name) + "/peers.json";
  }
  [[nodiscard]] std::string vtep_pin(const std::string& name) const {
    return tenant(name) + "/vtep";
  }
  [[nodiscard]] std::string tenant_pools(const std::string& name) const {
    return tenant(name) + "/pools";
  }
  [[nodiscard]] std::string tenant_pool(const std::string& tenant_name,
                                        const std::string& pool_name) const {
    return tenant_pools(tenant_name) + "/" + pool_name;
  }

 private:
  std::string root_;
};

}  // namespace particle
