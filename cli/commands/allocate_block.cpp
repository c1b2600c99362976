// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "agent_program.hpp"
#include "blocks_request.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "options.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value tenant, pool, node, from, length, vni;
  EtcdOptions etcd;
};

Result<unsigned> parse_length(std::string_view text) {
  if (text.starts_with('/')) {
    text.remove_prefix(1);
  }
  constexpr std::uint64_t kLongest = 128;
  const Result<std::uint64_t> length = parse_count(text);
  if (length && *length <= kLongest) {
    return static_cast<unsigned>(*length);
  }
  return fail(Error::of(Errc::invalid_argument, "prefix length", "a number such as 24"));
}

void take_name(Input& input, const char* what, const std::string& name) {
  input.check_name(what, name);
}

Result<BlocksRequest> read_request(const Args& args) {
  Input input;
  BlocksRequest request;
  request.what = BlocksRequest::What::allocate;
  overlay::BlockRequest& wanted = request.wanted;
  if (input.require("--tenant", args.tenant)) {
    wanted.tenant = args.tenant.text;
    take_name(input, "tenant", wanted.tenant);
  }
  if (input.require("--pool", args.pool)) {
    wanted.pool = args.pool.text;
    take_name(input, "pool", wanted.pool);
  }
  wanted.node = args.node ? args.node.text : host_name();
  take_name(input, "node", wanted.node);
  if (input.require("--from", args.from)) {
    wanted.subnet = input.take("--from", args.from.text, &IpPrefix::parse, IpPrefix{});
  }
  wanted.length =
      input.take<unsigned>("--length", args.length, &parse_length).value_or(wanted.subnet.length());
  wanted.vni = input.take<Vni>("--vni", args.vni, &Vni::parse);
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
  context.subject = request->wanted.pool;
  return do_blocks(context, *request);
}

}  // namespace

void add_allocate_block(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"allocate-block",
       "--tenant T --pool NAME --from CIDR [--length N] [--vni V] --etcd-endpoints URLS",
       "Takes a block of addresses for a pool that is to be made here, and the tenant's VNI, by an "
       "etcd transaction: no two nodes get overlapping blocks of a tenant, and no two tenants one "
       "VNI, however many ask at once. Blocks that are announced without having been allocated are "
       "passed over, too.\n\n"
       "A block belongs to the pool's name on the node, one for each family. Asking again gives "
       "the same block. It outlives the node: `release-block` gives it back.",
       "# A /24 of the tenant's subnet, and a pool on it:\n"
       "particle allocate-block --tenant acme --pool job --from 10.1.0.0/16 --length 24 \\\n"
       "  --etcd-endpoints http://192.0.2.9:2379 --json > block.json\n"
       "particle create-pool job --tenant acme --vni $(jq .block.vni block.json) \\\n"
       "  --prefix $(jq -r .block.prefix block.json)\n"
       "\n"
       "# Exactly this block, or none:\n"
       "particle allocate-block --tenant acme --pool web --from 10.1.3.0/24 \\\n"
       "  --etcd-endpoints http://192.0.2.9:2379\n"});
  add_value(verb, "--tenant", args->tenant, "TENANT", "The tenant");
  add_value(verb, "--pool", args->pool, "NAME", "The pool that is to have the addresses");
  add_value(verb, "--node", args->node, "NAME",
            "The node's name in the cluster; default: the host's name");
  add_value(verb, "--from", args->from, "CIDR", "The subnet that the block is taken from");
  add_value(verb, "--length", args->length, "N",
            "The block's prefix length; default: the whole of --from");
  add_value(verb, "--vni", args->vni, "VNI",
            "The tenant's VNI; default: the one it has, else the lowest that is free");
  add_etcd_options(verb, args->etcd);
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
