// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include <unistd.h>

#include <particle/node.hpp>
#include <particle_bind/enforce.hpp>
#include <particle_bind/sockets.hpp>

#include "command_process.hpp"
#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "input.hpp"
#include "lease_access.hpp"
#include "log.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value pool, address, holder, mechanism, policy;
  std::vector<std::string> groups;
  bool allow_raw = false;
};

struct Request {
  LeaseRequest lease;
  bind::Mechanism mechanism = bind::Mechanism::automatic;
  bind::Policy policy = bind::Policy::rewrite;
  std::vector<IpPrefix> groups;
  bool allow_raw = false;
};

Request take_request(Input& input, const Context& context, const Args& args) {
  Request request;
  LeaseRequest& lease = request.lease;
  if (input.require("--pool", args.pool)) {
    lease.pool = args.pool.text;
    input.check_name("pool name", lease.pool);
  }
  lease.holder = args.holder ? args.holder.text : "run-" + std::to_string(::getpid());
  input.check_holder(lease.holder);
  lease.address = input.take<IpAddress>("--ip", args.address, &IpAddress::parse);
  lease.process = ::getpid();
  request.mechanism =
      input.take<bind::Mechanism>("--enforce", args.mechanism, bind::parse_mechanism)
          .value_or(request.mechanism);
  request.policy = input.take<bind::Policy>("--policy", args.policy, bind::parse_policy)
                       .value_or(request.policy);
  for (const std::string& group : args.groups) {
    request.groups.push_back(input.take<IpPrefix>("--group", group, &IpPrefix::parse, IpPrefix()));
  }
  request.allow_raw = args.allow_raw;
  if (context.command.empty()) {
    input.invalid("no command is given",
                  "write it after `--`: particle run --pool NAME -- COMMAND ARGUMENT...");
  }
  return request;
}

bind::EnforceSpec spec_of(const Node& node, const Request& request, const Lease& lease,
                          bind::Mechanism mechanism) {
  bind::EnforceSpec spec;
  spec.lease = lease;
  spec.run_dir = node.run_dir();
  spec.node_id = node.id();
  spec.mechanism = mechanism;
  spec.policy = request.policy;
  spec.allow_raw = request.allow_raw;
  spec.groups = request.groups;
  return spec;
}

/// The child: everything between fork and exec. Its exit code says what failed, its stderr why.
[[noreturn]] void be_the_command(const Context& context, const Node& node, const Lease& lease,
                                 const bind::Enforcement& guard, const SignalRelay& signals) {
  const auto give_up = [&](const Error& error) {
    const int code = print_error(context, error);
    static_cast<void>(flush_output());
    ::_exit(code);
  };
  const Result<NetNs> target = open_lease_netns(node, lease);
  if (!target) {
    give_up(target.error());
  }
  if (auto ok = enter_netns(*target, lease.pool); !ok) {
    give_up(ok.error());
  }
  ::setenv("PARTICLE_POOL", lease.pool.c_str(), 1);
  export_lease(lease);
  for (const std::string& word : guard.environment()) {
    const std::size_t equals = word.find('=');
    ::setenv(word.substr(0, equals).c_str(), word.c_str() + equals + 1, 1);
  }
  hide_inherited_sockets();
  if (auto ok = guard.enter(); !ok) {
    give_up(ok.error());
  }
  signals.restore();
  const Result<int> code = become_command(context);
  static_cast<void>(flush_output());
  ::_exit(*code);
}

/// Starts the command and is its parent until it ends. The guard is still there afterwards.
Result<int> run_guarded(const Context& context, const Node& node, const Lease& lease,
                        bind::Enforcement& guard) {
  const Result<SignalRelay> signals = SignalRelay::open();
  if (!signals) {
    return fail(signals.error());
  }
  const Result<pid_t> child = fork_bound();
  if (!child) {
    return fail(child.error());
  }
  if (*child == 0) {
    be_the_command(context, node, lease, guard, *signals);
  }
  const Result<void> supervised = guard.supervise();
  if (!supervised) {
    print_error(context, supervised.error());
  }
  const auto print_log = [&] {
    for (const std::string& line : guard.take_log()) {
      print_warning(context, "audit: " + line);
    }
  };
  Result<int> status = signals->wait(*child, guard.log_fd(), print_log);
  end_descendants();
  return status;
}

Result<int> run_as(const Context& context, const Node& node, const Request& request,
                   const Lease& lease, const bind::Choice& choice) {
  Result<bind::Enforcement> guard =
      bind::Enforcement::prepare(spec_of(node, request, lease, choice.mechanism));
  if (!guard) {
    return fail(guard.error());
  }
  Result<int> status = run_guarded(context, node, lease, *guard);
  if (auto ok = guard->close(); !ok && status) {
    return fail(ok.error());
  }
  return status;
}

/// The namespace stays, and so would sockets that the command gave away. Where they cannot be ended the
/// address is released all the same, as it is by a kernel that has no such call.
void end_sockets_of(const Node& node, const Lease& lease) {
  const Result<NetNs> netns = open_lease_netns(node, lease);
  const Result<std::size_t> ended =
      netns ? bind::end_sockets(*netns, lease.endpoint) : fail(netns.error());
  if (!ended) {
    log_info("sockets of " + lease.endpoint.to_string() +
             " may be left: " + ended.error().message());
  }
}

/// What a killed `run` left: its command died with it, its lease and its control group did not.
bool end_killed_runs(const Node& node) {
  return node.collect_garbage() &&
         bind::sweep(node.run_dir(), node.id(), [&node] { return node.leases(); });
}

Result<int> run(Context& context, const Args& args) {
  context.subject = args.pool.text;
  Input input;
  const Request request = take_request(input, context, args);
  if (auto ok = input.verdict(); !ok) {
    return fail(ok.error());
  }
  const Result<bind::Choice> choice = bind::choose(request.mechanism);
  if (!choice) {
    return fail(choice.error());
  }
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  Result<std::vector<Lease>> leases = take_lease(*node, request.lease, {});
  if (!leases && leases.error().kind() == Errc::busy && end_killed_runs(*node)) {
    leases = take_lease(*node, request.lease, {});
  }
  if (!leases) {
    return fail(leases.error());
  }
  const Lease& lease = leases->front();
  log_info(lease.holder + " is " + lease.endpoint.to_string() + ", enforced by " +
           std::string(bind::to_string(choice->mechanism)) + ": " + choice->reason);
  Result<int> status = run_as(context, *node, request, lease, *choice);
  end_sockets_of(*node, lease);
  const auto address = lease.endpoint.v4 ? lease.endpoint.v4 : lease.endpoint.v6;
  if (auto ok = node->release(lease.pool, lease.holder, address); !ok && status) {
    return fail(ok.error());
  }
  return status;
}

}  // namespace

void add_run(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"run",
       "--pool NAME [--ip A] [--holder ID] [--enforce auto|ebpf|seccomp|preload|off] "
       "[--policy rewrite|strict|audit] [--group PREFIX] [--allow-raw] [--] COMMAND [ARGUMENT...]",
       "Runs a command as an endpoint of a pool: leases an address, runs the command in the pool's "
       "network namespace and keeps it, and all it starts, to that address: a server that listens "
       "on any address listens on the endpoint's, connections leave from it, 127.0.0.1 is its own. "
       "Two servers on one port are two endpoints. No container is needed.\n\n"
       "Sets PARTICLE_POOL, PARTICLE_HOLDER, PARTICLE_IP and PARTICLE_IP6. Passes signals on, "
       "returns the command's status, ends what the command left running and releases the address. "
       "`-v` says which mechanism `auto` chose. docs/bind-enforcement.md has the policy.",
       "# Two servers on one port, each on its own address:\n"
       "particle run --pool web -- python3 -m http.server 8080 &\n"
       "particle run --pool web -- python3 -m http.server 8080 &\n"
       "\n"
       "# A named endpoint; see what would be changed:\n"
       "particle run --pool web --ip 10.1.0.7 --policy audit -- nginx -g 'daemon off;'\n"});
  add_value(verb, "--pool", args->pool, "POOL", "The pool");
  add_value(verb, "--ip", args->address, "IP", "This endpoint and no other");
  add_value(verb, "--holder", args->holder, "ID",
            "The lease's holder (default: run- and the process id)");
  add_value(verb, "--enforce", args->mechanism, "auto|ebpf|seccomp|preload|off",
            "What keeps the command to its address (default: auto, which is ebpf where it works, "
            "else seccomp)");
  add_value(verb, "--policy", args->policy, "rewrite|strict|audit",
            "Change what the command asks for, refuse it, or only report it (default: rewrite)");
  add_values(verb, "--group", args->groups, "PREFIX",
             "Multicast or broadcast addresses that the command may bind to; up to four times");
  add_switch(verb, "--allow-raw", args->allow_raw,
             "Allow raw, ping and packet sockets: they see the other endpoints' packets");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
