// SPDX-License-Identifier: Apache-2.0
#include "pool_keeper.hpp"

#include <optional>

#include "made_pools.hpp"

namespace particle::cni {
namespace {

bool same_blocks(const PoolInfo& pool, const PoolSpec& spec) {
  if (pool.blocks.size() != spec.blocks.size()) return false;
  for (const auto& block : spec.blocks) {
    bool found = false;
    for (const auto& have : pool.blocks) found = found || have == block;
    if (!found) return false;
  }
  return true;
}

}  // namespace

bool is_plainly_the_same(const PoolInfo& pool, const NetConf& conf) {
  const PoolSpec& spec = conf.spec;
  return pool.tenant == spec.tenant && pool.vni == spec.vni && pool.isolation == spec.isolation &&
         pool.egress == spec.egress &&
         (!conf.attachment_given || spec.attachment == pool.attachment) &&
         (spec.mode == AddressMode::automatic || spec.mode == pool.mode) &&
         (!spec.count || *spec.count == pool.capacity) && (!spec.mtu || *spec.mtu == pool.mtu) &&
         (!spec.underlay.device || *spec.underlay.device == pool.underlay_device) &&
         (!spec.underlay.address || *spec.underlay.address == pool.vtep) && same_blocks(pool, spec);
}

Answer<void> ensure_pool(const Call& call, bool exists) {
  const PoolSpec& spec = call.conf.spec;
  const MadePools made_pools = call.made_pools();
  std::optional<DirLock> mark;
  if (!exists) {
    auto held = made_pools.hold(spec.name, call.conf.name);
    if (!held) return refuse(translate(held.error(), "pool " + spec.name));
    mark.emplace(*std::move(held));
    call.step("pool.mark");
  }
  auto made = call.node.create_pool(spec, call.apply_options());
  if (made) {
    if (!exists && !made->outcome.steps.empty())
      made_pools.try_identify(made->pool, call.conf.name);
    call.step("pool.made");
    return {};
  }
  CniError error = translate(made.error(), "pool " + spec.name);
  mark.reset();
  if (!call.node.find_pool(spec.name)) made_pools.try_remove(spec.name);
  return refuse(std::move(error));
}

}  // namespace particle::cni
