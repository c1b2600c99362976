// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "commands/commands.hpp"
#include "input.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value name;
};

std::string health_text(const PoolInfo& pool, const Style& style) {
  std::string word(to_string(pool.health));
  switch (pool.health) {
    case PoolHealth::ready:
      return style.good(word);
    case PoolHealth::damaged:
      return style.bad(word) + ": `particle gc` repairs it";
    case PoolHealth::partial:
      return style.warn(word) + ": the command that was cut off, or `particle gc`, ends it";
  }
  return word;
}

std::string primaries(const PoolInfo& pool) {
  std::vector<std::string> parts;
  for (const auto& address : {pool.primary_v4, pool.primary_v6}) {
    if (address) {
      parts.push_back(address->to_string());
    }
  }
  return join(parts, " ");
}

std::string seconds(std::chrono::milliseconds time) {
  std::string text = std::to_string(time.count() / 1000);
  if (const auto rest = time.count() % 1000; rest != 0) {
    text += "." + std::to_string(1000 + rest).substr(1);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + " s";
}

std::string describe(const PoolInfo& pool, const Style& style) {
  std::string text;
  const auto line = [&](std::string label, const std::string& value) {
    label.resize(12, ' ');
    text += style.dim(label) + value + "\n";
  };
  std::string mode(to_string(pool.mode));
  if (!pool.mode_reason.empty()) {
    mode += " (" + pool.mode_reason + ")";
  }
  line("pool", style.bold(pool.name));
  line("state", health_text(pool, style));
  for (const std::string& problem : pool.problems) {
    line("", problem);
  }
  line("tenant", pool.tenant + ", VNI " + std::to_string(pool.vni.value()));
  line("addresses", blocks_to_text(pool));
  line("endpoints", std::to_string(pool.capacity) + ": " + std::to_string(pool.leased) +
                        " leased, " + std::to_string(pool.cooling) + " cooling down");
  line("mode", mode);
  line("isolation", std::string(to_string(pool.isolation)));
  line("attachment", std::string(to_string(pool.attachment)));
  line("egress", std::string(to_string(pool.egress)));
  for (const PublishedPort& port : pool.published) {
    line("published", port.to_string());
  }
  line("cool-down", seconds(pool.cooldown));
  line("primary", primaries(pool));
  line("routes", prefixes_to_text(pool.routes));
  line("device",
       pool.device + ", MAC " + pool.mac.to_string() + ", MTU " + std::to_string(pool.mtu.value()));
  line("namespace",
       pool.netns_path +
           (pool.netns_inode != 0 ? " (inode " + std::to_string(pool.netns_inode) + ")" : ""));
  line("VTEP", pool.vtep.to_string() + " on " + pool.underlay_device);
  if (pool.attachment == Attachment::direct) {
    line("", pool.vxlan + " of the pool itself");
  } else {
    line("",
         "in " + pool.vtep_path + ": " + pool.vxlan + ", " + pool.bridge + ", port " + pool.port);
  }
  return text;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.name.text;
  Input input;
  input.require("NAME", args.name);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  if (auto ok = check_name("pool name", args.name.text); !ok) {
    return fail(ok.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  const Result<PoolInfo> pool = node->inspect_pool(args.name.text);
  if (!pool) {
    return fail(pool.error());
  }
  if (context.json) {
    print_json(pool_to_json(*pool));
  } else {
    print(describe(*pool, Style::of_stdout(context)));
  }
  return 0;
}

}  // namespace

void add_show_pool(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root, {"show-pool", "NAME",
             "Shows one pool: its record, compared with what the kernel has. With --json this is "
             "what `add-peer --from` reads on the other nodes.",
             "particle show-pool web\n"
             "\n"
             "# Introduce this node's pool to another node:\n"
             "particle show-pool web --json | ssh node-b particle add-peer --from -\n"});
  add_value(verb, "NAME", args->name, "POOL", "The pool");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
