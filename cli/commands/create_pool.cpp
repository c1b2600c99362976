// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "apply_watch.hpp"
#include "change_report.hpp"
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
  Value name, tenant, vni, count, mode, isolation, attach, egress, underlay_dev, underlay_ip, mtu,
      cooldown;
  std::vector<std::string> prefixes, ranges, published;
  bool dry_run = false;
  bool timings = false;
};

constexpr const char* kDescription =
    "Makes a tenant's pool on this node: one network namespace, one veth on the tenant's VXLAN, "
    "and "
    "one IP address per endpoint. Containers that share the namespace each lease an endpoint of "
    "their own.\n\n"
    "Creating a pool that exists with the same spec succeeds and says so; with another spec it "
    "fails "
    "and shows the difference. An interrupted create is rolled back; after a crash the same "
    "command, "
    "or `particle gc`, puts things right.\n\n"
    "Modes: `secondary` makes every address visible to every tool and costs more the more there "
    "are; "
    "`anyip` is one route and takes the same time for any number. `auto` takes secondary up to 256 "
    "endpoints and anyip above.\n\n"
    "Isolation: with `tenant` the pools of a tenant on this node reach each other; with `job` they "
    "do "
    "not; with `container` every lease gets a namespace of its own.\n\n"
    "Attachment: with `veth` the pool is on the tenant's bridge, beside its other pools; with "
    "`direct` the tenant's VXLAN device is the pool's own: a quarter less latency, no bridge, and "
    "one "
    "pool per tenant and node. Overlay evpn works with `veth` alone.\n\n"
    "Egress and published ports are off unless asked for. Tenants then reach the outside through "
    "the node, but neither the node itself nor each other, and from outside only what is published "
    "is reached. The node must forward packets (sysctl net.ipv4.ip_forward=1).";

constexpr const char* kExamples =
    "# A pool of 100 endpoints for tenant acme:\n"
    "particle create-pool web --tenant acme --vni 100 --prefix 10.1.0.0/24 --count 100\n"
    "\n"
    "# What it would do, step by step; then do it and see how long each step took:\n"
    "particle create-pool web --tenant acme --vni 100 --prefix 10.1.0.0/16 --dry-run\n"
    "particle create-pool web --tenant acme --vni 100 --prefix 10.1.0.0/16 --timings\n"
    "\n"
    "# Two nodes that talk: one subnet, each node owns a range of it, same tenant and VNI.\n"
    "# On node A (underlay address 192.0.2.1 on eth0):\n"
    "particle create-pool web --tenant acme --vni 100 --prefix 10.1.0.0/24 \\\n"
    "    --range 10.1.0.1-10.1.0.100 --underlay-dev eth0\n"
    "particle show-pool web --json > a.json\n"
    "# On node B (192.0.2.2):\n"
    "particle create-pool web --tenant acme --vni 100 --prefix 10.1.0.0/24 \\\n"
    "    --range 10.1.0.101-10.1.0.200 --underlay-dev eth0\n"
    "particle show-pool web --json > b.json\n"
    "# Copy a.json to B and b.json to A, and introduce them to each other:\n"
    "particle add-peer --from b.json                      # on A\n"
    "particle add-peer --from a.json                      # on B\n"
    "# Take an endpoint on each node, and test from A to B:\n"
    "particle lease web --holder c1                       # on B, prints 10.1.0.101\n"
    "particle lease web --holder c1                       # on A, prints 10.1.0.1\n"
    "particle exec web --holder c1 -- ping -c 1 10.1.0.101\n"
    "\n"
    "# IPv4 and IPv6 at once:\n"
    "particle create-pool web --tenant acme --vni 100 --prefix 10.1.0.0/24 \\\n"
    "    --prefix fd00:1::/120 --count 100\n";

PoolSpec take_spec(Input& input, const Args& args) {
  PoolSpec spec;
  spec.name = input.require("NAME", args.name) ? args.name.text : "pool";
  spec.tenant = input.require("--tenant", args.tenant) ? args.tenant.text : "tenant";
  const Vni any = *Vni::from(1);
  spec.vni =
      input.require("--vni", args.vni) ? input.take("--vni", args.vni.text, &Vni::parse, any) : any;
  if (args.prefixes.empty()) {
    input.missing("--prefix");
  }
  spec.blocks = take_blocks(input, args.prefixes, args.ranges);
  spec.count = input.take<std::uint64_t>("--count", args.count, parse_count);
  spec.mode = input.take<AddressMode>("--mode", args.mode, parse_address_mode).value_or(spec.mode);
  spec.isolation = input.take<Isolation>("--isolation", args.isolation, parse_isolation)
                       .value_or(spec.isolation);
  spec.attachment =
      input.take<Attachment>("--attach", args.attach, parse_attachment).value_or(spec.attachment);
  spec.egress = input.take<Egress>("--egress", args.egress, parse_egress).value_or(spec.egress);
  for (const std::string& text : args.published) {
    auto port = PublishedPort::parse(text);
    if (port)
      spec.published.push_back(*port);
    else
      input.add({port.error()});
  }
  if (args.underlay_dev) {
    spec.underlay.device = args.underlay_dev.text;
  }
  spec.underlay.address =
      input.take<IpAddress>("--underlay-ip", args.underlay_ip, &IpAddress::parse);
  spec.mtu = input.take<Mtu>("--mtu", args.mtu, &Mtu::parse);
  spec.cooldown = input.take<std::chrono::milliseconds>("--cooldown", args.cooldown, parse_seconds)
                      .value_or(spec.cooldown);
  return spec;
}

/// The checks of the whole, with a stand-in where every prefix was wrong, lest it be named twice.
void check_spec(Input& input, PoolSpec spec) {
  if (spec.blocks.empty()) {
    spec.blocks.push_back({*IpPrefix::parse("10.0.0.0/8"), std::nullopt});
  }
  input.add(check(spec));
}

std::string describe(const PoolInfo& pool, const Style& style) {
  std::string text = style.good("pool " + pool.name + " is ready") + ": " +
                     counted(pool.capacity, "endpoint") + " in " + blocks_to_text(pool) + "\n";
  text += "  tenant " + pool.tenant + ", VNI " + std::to_string(pool.vni.value()) + ", MTU " +
          std::to_string(pool.mtu.value()) + ", VTEP " + pool.vtep.to_string() + " on " +
          pool.underlay_device + "\n";
  text += "  mode " + std::string(to_string(pool.mode));
  if (!pool.mode_reason.empty()) {
    text += " (" + pool.mode_reason + ")";
  }
  text += ", isolation " + std::string(to_string(pool.isolation)) + ", attachment " +
          std::string(to_string(pool.attachment)) + "\n";
  text += "  namespace " + pool.netns_path + "\n";
  return text;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.name.text;
  Input input;
  const PoolSpec spec = take_spec(input, args);
  check_spec(input, spec);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  if (args.dry_run) {
    return report_plan(context, spec.name, node->plan_create(spec),
                       "exists already with this spec");
  }
  ApplyWatch watch(args.timings || context.json);
  const Result<CreateResult> created = node->create_pool(spec, watch.options());
  if (!created) {
    return fail(created.error());
  }
  report_change(context, created->outcome, pool_to_json(created->pool),
                created->outcome.changed ? describe(created->pool, Style::of_stdout(context))
                                         : "pool " + spec.name + " exists already with this spec\n",
                args.timings);
  return 0;
}

}  // namespace

void add_create_pool(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"create-pool",
       "NAME --tenant T --vni V --prefix CIDR [--prefix CIDR6] [--range A-B]... [--count N] "
       "[--mode auto|secondary|anyip] [--isolation tenant|job|container] [--attach veth|direct] "
       "[--egress none|masquerade|routed] [--publish NODE_PORT:ENDPOINT:PORT[/tcp|udp]]... "
       "[--underlay-dev DEV | --underlay-ip IP] [--mtu M] [--cooldown SECONDS] [--dry-run] "
       "[--timings]",
       kDescription, kExamples});
  add_value(verb, "NAME", args->name, "NAME",
            "The pool's name on this node: letters, digits, '_', '.' and '-', at most 63");
  add_value(verb, "--tenant", args->tenant, "TENANT", "The tenant the pool belongs to");
  add_value(verb, "--vni", args->vni, "VNI",
            "The tenant's VXLAN network identifier, 1 to 16777215; the same on every node");
  add_values(verb, "--prefix", args->prefixes, "CIDR",
             "The subnet; give it once for IPv4, once for IPv6, or both");
  add_values(verb, "--range", args->ranges, "A-B",
             "The part of the prefix of the same family that this node owns (default: all of it); "
             "once per family");
  add_value(verb, "--count", args->count, "N", "Number of endpoints (default: as many as fit)");
  add_value(verb, "--mode", args->mode, "auto|secondary|anyip",
            "How the addresses exist in the kernel (default: auto)");
  add_value(verb, "--isolation", args->isolation, "tenant|job|container",
            "Who shares a namespace with whom (default: tenant)");
  add_value(verb, "--attach", args->attach, "veth|direct",
            "How the pool is joined to the tenant's VXLAN (default: veth)");
  add_value(verb, "--egress", args->egress, "none|masquerade|routed",
            "Whether containers reach what is outside their overlay, and under the node's address "
            "or their own (default: none)");
  add_values(verb, "--publish", args->published, "NODE_PORT:ENDPOINT:PORT[/tcp|udp]",
             "A port of the node that leads to an endpoint of the pool; any number of times");
  add_value(verb, "--underlay-dev", args->underlay_dev, "DEV",
            "The device that reaches the other nodes (default: that of the default route, or the "
            "only one that is up and has a global address)");
  add_value(verb, "--underlay-ip", args->underlay_ip, "IP",
            "The address that the other nodes reach this one by, whichever device has it");
  add_value(verb, "--mtu", args->mtu, "BYTES",
            "MTU of the pool (default: the underlay's less 50, or 70 over IPv6)");
  add_value(verb, "--cooldown", args->cooldown, "SECONDS",
            "How long a released endpoint rests before it is given again (default: 1)");
  add_switch(verb, "--dry-run", args->dry_run, "Print the steps and change nothing");
  add_switch(
      verb, "--timings", args->timings,
      "Print the milliseconds of each step, named S1 to S6 after figure 3.1 of the dissertation");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
