// SPDX-License-Identifier: Apache-2.0
#include "agent_program.hpp"
#include "blocks_request.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "options.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value tenant, pool, node, block;
  bool all = false;
  EtcdOptions etcd;
};

Result<BlocksRequest> read_request(const Args& args) {
  Input input;
  BlocksRequest request;
  request.what = BlocksRequest::What::release;
  if (input.require("--tenant", args.tenant)) {
    request.filter.tenant = args.tenant.text;
  }
  request.filter.pool = args.pool.text;
  request.filter.node = args.node ? args.node.text : host_name();
  request.filter.prefix = input.take<IpPrefix>("--block", args.block, &IpPrefix::parse);
  const int ways = (args.pool ? 1 : 0) + (args.block ? 1 : 0) + (args.all ? 1 : 0);
  if (ways == 0) {
    input.invalid("neither --pool nor --block", "or --all for everything that the node has");
  } else if (args.all && ways > 1) {
    input.invalid("--all together with --pool or --block", "choose one");
  }
  for (const auto& [name, value] : {std::pair("tenant", args.tenant), std::pair("pool", args.pool),
                                    std::pair("node", args.node)}) {
    if (!value) {
      continue;
    }
    input.check_name(name, value.text);
  }
  request.settings = take_etcd_options(input, args.etcd);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  return request;
}

Result<int> run(Context& context, const Args& args) {
  const Result<BlocksRequest> request = read_request(args);
  if (!request) {
    return fail(request.error());
  }
  context.subject = request->filter.tenant;
  return do_blocks(context, *request);
}

}  // namespace

void add_release_block(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"release-block",
       "--tenant T --pool NAME [--node NAME] --etcd-endpoints URLS\n"
       "--tenant T --block CIDR [--node NAME] --etcd-endpoints URLS\n"
       "--tenant T --all [--node NAME] --etcd-endpoints URLS",
       "Gives back what `allocate-block` took. With the tenant's last block its VNI is free, too. "
       "A block that its node announces is refused: delete the pool first. Nothing to release is "
       "no error.",
       "particle release-block --tenant acme --pool job --etcd-endpoints http://192.0.2.9:2379\n"
       "\n"
       "# What a node had that will not come back:\n"
       "particle release-block --tenant acme --all --node dead-7 \\\n"
       "  --etcd-endpoints http://192.0.2.9:2379\n"});
  add_value(verb, "--tenant", args->tenant, "TENANT", "The tenant");
  add_value(verb, "--pool", args->pool, "NAME", "What this pool has, in both families");
  add_value(verb, "--block", args->block, "CIDR", "Only this block");
  add_switch(verb, "--all", args->all, "Everything that the node has of the tenant");
  add_value(verb, "--node", args->node, "NAME",
            "The node's name in the cluster; default: the host's name");
  add_etcd_options(verb, args->etcd);
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
