// SPDX-License-Identifier: Apache-2.0
#include "agent/run_blocks.hpp"

#include "exit_codes.hpp"
#include "json.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

using overlay::Block;

Json block_to_json(const Block& block) {
  return {
      {"tenant", block.tenant}, {"vni", block.vni.value()}, {"prefix", block.prefix.to_string()},
      {"node", block.node},     {"pool", block.pool},       {"announced", block.announced}};
}

Json blocks_to_json(const std::vector<Block>& blocks) {
  Json list = Json::array();
  for (const Block& block : blocks) {
    list.push_back(block_to_json(block));
  }
  return list;
}

Result<int> allocate(const Context& context, const overlay::EtcdSettings& settings,
                     const BlocksRequest& request) {
  const auto done = allocate_block(settings, request.wanted);
  if (!done) {
    return fail(done.error());
  }
  const Block& block = done->block;
  if (context.json) {
    print_json({{"changed", done->changed}, {"block", block_to_json(block)}});
    return kExitOk;
  }
  print("block " + block.prefix.to_string() + " of tenant " + block.tenant + ", VNI " +
        std::to_string(block.vni.value()) + (done->changed ? ", is for" : ", was already for") +
        " pool " + block.pool + " of node " + block.node + "\n");
  return kExitOk;
}

Result<int> release(const Context& context, const overlay::EtcdSettings& settings,
                    const BlocksRequest& request) {
  const auto released = release_blocks(settings, request.filter);
  if (!released) {
    return fail(released.error());
  }
  if (context.json) {
    print_json({{"released", blocks_to_json(*released)}});
    return kExitOk;
  }
  for (const Block& block : *released) {
    print("released block " + block.prefix.to_string() + " of pool " + block.pool + " of node " +
          block.node + "\n");
  }
  if (released->empty()) {
    print("there was nothing to release\n");
  }
  return kExitOk;
}

Result<int> list(const Context& context, const overlay::EtcdSettings& settings,
                 const BlocksRequest& request) {
  const auto blocks = list_blocks(settings, request.filter);
  if (!blocks) {
    return fail(blocks.error());
  }
  if (context.json) {
    print_json({{"blocks", blocks_to_json(*blocks)}});
    return kExitOk;
  }
  Table table({"TENANT", "VNI", "BLOCK", "NODE", "POOL", "STATE"});
  for (const Block& block : *blocks) {
    table.add({block.tenant, std::to_string(block.vni.value()), block.prefix.to_string(),
               block.node, block.pool, block.announced ? "announced" : "idle"});
  }
  print(table.empty() ? "no blocks\n" : table.to_string(Style::of_stdout(context)));
  return kExitOk;
}

}  // namespace

Result<int> run_blocks(Context& context, const BlocksRequest& request) {
  const auto settings = overlay::parse_etcd_settings(request.settings);
  if (!settings) {
    return fail(settings.error());
  }
  switch (request.what) {
    case BlocksRequest::What::allocate:
      return allocate(context, *settings, request);
    case BlocksRequest::What::release:
      return release(context, *settings, request);
    case BlocksRequest::What::list:
      break;
  }
  return list(context, *settings, request);
}

}  // namespace particle::cli
