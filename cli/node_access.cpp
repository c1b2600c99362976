// SPDX-License-Identifier: Apache-2.0
#include "node_access.hpp"

#include "text.hpp"

namespace particle::cli {

Result<Node> open_node(const Context& context) {
  return Node::open({context.run_dir});
}

Result<PoolInfo> find_pool(const Node& node, const std::string& name) {
  Result<std::vector<PoolInfo>> pools = node.list_pools();
  if (!pools) {
    return fail(std::move(pools).error());
  }
  for (PoolInfo& pool : *pools) {
    if (pool.name == name) {
      return std::move(pool);
    }
  }
  return fail(Error::of(Errc::not_found, "pool " + shown(name),
                        "`particle list-pools` lists the pools of this node"));
}

std::string blocks_to_text(const PoolInfo& pool) {
  std::vector<std::string> parts;
  for (const AddressBlock& block : pool.blocks) {
    parts.push_back(block.range ? block.range->to_string() + " of " + block.prefix.to_string()
                                : block.prefix.to_string());
  }
  return join(parts, " and ");
}

std::string prefixes_to_text(const std::vector<IpPrefix>& prefixes, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < prefixes.size() && i < most; ++i) {
    text += (i == 0 ? "" : " ") + prefixes[i].to_string();
  }
  if (prefixes.size() > most) {
    text += " and " + std::to_string(prefixes.size() - most) + " more";
  }
  return text;
}

}  // namespace particle::cli
