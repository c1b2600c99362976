// SPDX-License-Identifier: Apache-2.0
#include "blocks_request.hpp"
#include "commands/commands.hpp"
#include "input.hpp"
#include "options.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value tenant, node;
  EtcdOptions etcd;
};

Result<int> run(Context& context, const Args& args) {
  Input input;
  BlocksRequest request;
  request.what = BlocksRequest::What::list;
  request.filter.tenant = args.tenant.text;
  request.filter.node = args.node.text;
  request.settings = take_etcd_options(input, args.etcd);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  return do_blocks(context, request);
}

}  // namespace

void add_list_blocks(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root, {"list-blocks", "[--tenant T] [--node NAME] --etcd-endpoints URLS",
             "Lists the blocks of addresses that `allocate-block` gave out in the whole cluster, "
             "whose they are, and whether they are announced now.",
             "particle list-blocks --etcd-endpoints http://192.0.2.9:2379\n"
             "particle list-blocks --tenant acme --etcd-endpoints http://192.0.2.9:2379 --json\n"});
  add_value(verb, "--tenant", args->tenant, "TENANT", "Only this tenant's");
  add_value(verb, "--node", args->node, "NAME", "Only this node's");
  add_etcd_options(verb, args->etcd);
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
