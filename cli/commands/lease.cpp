// SPDX-License-Identifier: Apache-2.0
#include <particle/node.hpp>

#include "commands/commands.hpp"
#include "input.hpp"
#include "json.hpp"
#include "lease_access.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value pool, holder, address, count, process, wait;
};

struct Request {
  LeaseRequest lease;
  std::optional<std::chrono::milliseconds> wait;
};

Request take_request(Input& input, const Args& args) {
  Request request;
  LeaseRequest& lease = request.lease;
  if (input.require("NAME", args.pool)) {
    lease.pool = args.pool.text;
    input.check_name("pool name", lease.pool);
  }
  if (input.require("--holder", args.holder)) {
    lease.holder = args.holder.text;
    input.check_holder(lease.holder);
  }
  lease.count = input.take<std::uint64_t>("--count", args.count, parse_count).value_or(1);
  lease.address = input.take<IpAddress>("--ip", args.address, &IpAddress::parse);
  lease.process = input.take<int>("--pid", args.process, parse_process);
  request.wait = input.take<std::chrono::milliseconds>("--wait", args.wait, parse_seconds);
  if (args.address && args.count && lease.count != 1) {
    input.invalid("--ip and --count " + args.count.text, "a named address is one endpoint");
  }
  return request;
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.pool.text;
  Input input;
  const Request request = take_request(input, args);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  const Result<std::vector<Lease>> leases = take_lease(*node, request.lease, request.wait);
  if (!leases) {
    return fail(leases.error());
  }
  if (context.json) {
    print_json({{"leases", leases_to_json(*leases)}});
  } else {
    for (const Lease& lease : *leases) {
      print(lease.endpoint.to_string() + "\n");
    }
  }
  // Nobody can use endpoints whose addresses were lost on the way: give them back.
  if (auto ok = flush_output(); !ok) {
    for (const Lease& lease : *leases) {
      const auto address = lease.endpoint.v4 ? lease.endpoint.v4 : lease.endpoint.v6;
      static_cast<void>(node->release(lease.pool, lease.holder, address));
    }
    return fail(ok.error());
  }
  return 0;
}

}  // namespace

void add_lease(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"lease", "NAME --holder ID [--ip A] [--count K] [--pid PID] [--wait SECONDS]",
       "Takes endpoints of a pool for a container and prints their addresses, one endpoint per "
       "line, `IPv4,IPv6` where the pool has both families. All of them or none. A holder may "
       "lease several times; an endpoint is never given twice at once.\n\n"
       "A lease survives crashes and ends with `release`, or with `gc` once the process given "
       "by --pid is gone.",
       "ip=$(particle lease web --holder c42)\n"
       "\n"
       "# A named address, bound to a process:\n"
       "particle lease web --holder c42 --ip 10.1.0.7 --pid 4711\n"
       "\n"
       "# Ten at once, or an error:\n"
       "particle lease web --holder burst-1 --count 10 --wait 0\n"});
  add_value(verb, "NAME", args->pool, "POOL", "The pool");
  add_value(verb, "--holder", args->holder, "ID",
            "The container: letters, digits, '_', '.' and '-', at most 255");
  add_value(verb, "--ip", args->address, "IP", "This endpoint and no other");
  add_value(verb, "--count", args->count, "K", "How many endpoints (default: 1)");
  add_value(verb, "--pid", args->process, "PID",
            "`gc` releases the lease when this process is gone");
  add_value(
      verb, "--wait", args->wait, "SECONDS",
      "How long to wait for endpoints that cool down (default: the pool's cool-down and 0.1)");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
