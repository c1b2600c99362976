// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>

#include "commands/commands.hpp"
#include "input.hpp"
#include "json.hpp"
#include "options.hpp"
#include "output.hpp"
#include "overlay-adapters/evpn/frr_config.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

using overlay::evpn::FrrConfigSpec;

struct Args {
  Value local, reflect, as_number, keepalive;
  std::vector<std::string> peers;
};

Result<FrrConfigSpec> read_spec(const Args& args) {
  Input input;
  FrrConfigSpec spec;
  const IpAddress some_address = *IpAddress::parse("192.0.2.1");
  spec.local = input.require("--local", args.local)
                   ? input.take("--local", args.local.text, &IpAddress::parse, some_address)
                   : some_address;
  for (const std::string& text : args.peers) {
    spec.peers.push_back(input.take("--peer", text, &IpAddress::parse, IpAddress{}));
  }
  spec.reflect = input.take<IpPrefix>("--reflect", args.reflect, &IpPrefix::parse);
  if (const auto number = input.take<std::uint64_t>("--as-number", args.as_number, &parse_count)) {
    if (*number > UINT32_MAX) {
      input.invalid("--as-number " + args.as_number.text, "at most 4294967295");
    }
    spec.as_number = static_cast<std::uint32_t>(*number);
  }
  if (const auto number = input.take<std::uint64_t>("--keepalive", args.keepalive, &parse_count)) {
    spec.keepalive = static_cast<unsigned>(std::min<std::uint64_t>(*number, 65535));
  }
  if (!input.failed()) {
    input.add(check(spec));
  }
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  return spec;
}

Result<int> run(Context& context, const Args& args) {
  const Result<FrrConfigSpec> spec = read_spec(args);
  if (!spec) {
    return fail(spec.error());
  }
  const std::string text = frr_config(*spec);
  if (context.json) {
    print_json({{"local", spec->local.to_string()}, {"configuration", text}});
  } else {
    print(text);
  }
  return 0;
}

}  // namespace

void add_frr_config(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"frr-config",
       "--local IP --peer IP... [--as-number N] [--keepalive SECONDS]\n"
       "--local IP --reflect CIDR [--peer IP...] [--as-number N] [--keepalive SECONDS]",
       "Prints the FRR configuration with which `agent --overlay evpn` works, for this node or "
       "for a route reflector. Changes nothing and reads nothing.\n\n"
       "A few nodes name each other with --peer. For many, two of them reflect: they take "
       "sessions from every node in a prefix, and the nodes name only these two.",
       "# Two nodes:\n"
       "particle frr-config --local 192.0.2.1 --peer 192.0.2.2 > /etc/frr/frr.conf\n"
       "\n"
       "# A thousand nodes in 198.51.100.0/22, two of which reflect:\n"
       "particle frr-config --local 198.51.100.1 --reflect 198.51.100.0/22 --peer "
       "198.51.100.2\n"
       "particle frr-config --local 198.51.100.2 --reflect 198.51.100.0/22 --peer "
       "198.51.100.1\n"
       "# ... and every other one:\n"
       "particle frr-config --local 198.51.101.7 --peer 198.51.100.1 198.51.100.2\n"});
  add_value(verb, "--local", args->local, "IP", "This node's underlay address");
  add_value_list(verb, "--peer", args->peers, "IP", "The other nodes, or the reflectors");
  add_value(verb, "--reflect", args->reflect, "CIDR",
            "This node reflects routes for the nodes in this prefix");
  add_value(verb, "--as-number", args->as_number, "N", "The AS of all nodes; default: 65000");
  add_value(verb, "--keepalive", args->keepalive, "SECONDS",
            "BGP's keepalive; a dead node is noticed after three; default: 3");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
