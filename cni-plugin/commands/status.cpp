// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "node_sweep.hpp"

namespace particle::cni {
namespace {

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

/// Could the first ADD make the pool?
Answer<std::string> judge_absent(const Call& call) {
  const auto plan = call.node.plan_create(call.conf.spec);
  if (plan) return std::string();
  CniError error = translate(plan.error(), "STATUS");
  error.code = Code::not_available;
  return refuse(std::move(error));
}

Answer<std::string> judge(const Call& call, const PoolInfo& pool) {
  if (pool.health == PoolHealth::damaged)
    return refuse(Code::limited_connectivity,
                  "pool " + pool.name + " is damaged: " + joined(pool.problems),
                  "`particle gc` repairs it");
  // Isolation container keeps one endpoint for the pool's router.
  const std::uint64_t reserved = pool.isolation == Isolation::container ? 1 : 0;
  if (pool.leased + reserved >= pool.capacity)
    return refuse(Code::not_available, "pool " + pool.name + " is exhausted: all of its " +
                                           std::to_string(pool.capacity) + " endpoints are leased");
  // Says whether the configuration still fits what is there.
  return judge_absent(call);
}

}  // namespace

Answer<std::string> status(const Call& call) {
  call.made_pools().try_sweep();
  try_sweep_nodes(call.node.run_dir(), call.node.id());
  auto pool = call.node.inspect_pool(call.conf.spec.name);
  if (pool) return judge(call, *pool);
  if (pool.error().kind() == Errc::not_found) return judge_absent(call);
  CniError error = translate(pool.error(), "STATUS");
  error.code = Code::not_available;
  return refuse(std::move(error));
}

}  // namespace particle::cni
