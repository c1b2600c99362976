// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "commands/commands.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value tenant;
};

void print_table(const Context& context, const std::vector<PoolInfo>& pools) {
  Table table({"NAME", "TENANT", "VNI", "ADDRESSES", "MODE", "ENDPOINTS", "LEASED", "MTU", "VTEP",
               "STATE"});
  for (const PoolInfo& pool : pools) {
    table.add({pool.name, pool.tenant, std::to_string(pool.vni.value()), blocks_to_text(pool),
               std::string(to_string(pool.mode)), std::to_string(pool.capacity),
               std::to_string(pool.leased), std::to_string(pool.mtu.value()), pool.vtep.to_string(),
               std::string(to_string(pool.health))});
  }
  print(table.empty() ? "no pools on this node\n" : table.to_string(Style::of_stdout(context)));
}

Result<int> run(Context& context, const Args& args) {
  if (args.tenant) {
    if (auto ok = check_name("tenant", args.tenant.text); !ok) {
      return fail(ok.error());
    }
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  Result<std::vector<PoolInfo>> pools = node->list_pools();
  if (!pools) {
    return fail(pools.error());
  }
  if (args.tenant) {
    std::erase_if(*pools, [&](const PoolInfo& pool) { return pool.tenant != args.tenant.text; });
  }
  if (!context.json) {
    print_table(context, *pools);
    return 0;
  }
  Json list = Json::array();
  for (const PoolInfo& pool : *pools) {
    list.push_back(pool_to_json(pool));
  }
  print_json({{"pools", list}});
  return 0;
}

}  // namespace

void add_list_pools(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root, {"list-pools", "[--tenant T]",
             "Lists the pools of this node from their records, without asking the kernel; "
             "`show-pool` compares one with the kernel.",
             "particle list-pools\n"
             "\n"
             "# The names of a tenant's pools, for a script:\n"
             "particle list-pools --tenant acme --json | jq -r '.pools[].name'\n"});
  add_value(verb, "--tenant", args->tenant, "TENANT", "Only this tenant's pools");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
