// SPDX-License-Identifier: Apache-2.0
// Hidden: the names that completion scripts offer, one per line. Never an error: a shell that
// completes wants silence.
#include <set>

#include <particle/node.hpp>

#include "commands/commands.hpp"
#include "harness/design.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value kind;
};

std::set<std::string> names_of(const Node& node, const std::string& kind) {
  std::set<std::string> names;
  if (kind == "holders") {
    if (const auto leases = node.leases()) {
      for (const Lease& lease : *leases) {
        names.insert(lease.holder);
      }
    }
    return names;
  }
  if (const auto pools = node.list_pools()) {
    for (const PoolInfo& pool : *pools) {
      names.insert(kind == "tenants" ? pool.tenant : pool.name);
    }
  }
  return names;
}

Result<int> run(Context& context, const Args& args) {
  if (args.kind.text == "designs") {
    for (const auto& design : bench::designs()) print(std::string(design.name) + "\n");
    return 0;
  }
  if (const Result<Node> node = open_node(context)) {
    for (const std::string& name : names_of(*node, args.kind.text)) {
      print(name + "\n");
    }
  }
  return 0;
}

}  // namespace

void add_list_names(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root, {"__list", "pools|tenants|holders|designs", "Lists names for completion.", ""});
  add_value(verb, "KIND", args->kind, "pools|tenants|holders|designs", "What to list");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
