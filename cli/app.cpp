// SPDX-License-Identifier: Apache-2.0
#include "app.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <CLI/CLI.hpp>

#include <particle/node.hpp>
#include <particle/version.hpp>

#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "log.hpp"
#include "output.hpp"
#include "text.hpp"
#include "usage.hpp"
#include "verb.hpp"

namespace particle::cli {
namespace {

constexpr std::string_view kPools = "Pools";
constexpr std::string_view kLeases = "Leases";
constexpr std::string_view kPeers = "Peers (the other nodes of a tenant)";
constexpr std::string_view kBlocks = "Addresses of a cluster (kept in etcd)";
constexpr std::string_view kFleet = "Fleet (bursts of containers in pools)";
constexpr std::string_view kMachine = "This machine";
constexpr std::string_view kMeasuring = "Measuring";
constexpr std::string_view kHidden;

constexpr std::array kVerbs = {
    VerbEntry{"create-pool", kPools, "Make a tenant's pool of endpoints on this node",
              add_create_pool},
    VerbEntry{"list-pools", kPools, "List the pools of this node", add_list_pools},
    VerbEntry{"show-pool", kPools, "Show one pool and compare it with the kernel", add_show_pool},
    VerbEntry{"resize-pool", kPools, "Give a pool more or fewer endpoints", add_resize_pool},
    VerbEntry{"delete-pool", kPools, "Remove a pool", add_delete_pool},
    VerbEntry{"exec", kPools, "Run a command inside a pool's network namespace", add_exec},
    VerbEntry{"run", kPools, "Run a command as an endpoint of a pool", add_run},
    VerbEntry{"lease", kLeases, "Take endpoints of a pool for a container", add_lease},
    VerbEntry{"release", kLeases, "Give a container's endpoints back", add_release},
    VerbEntry{"list-leases", kLeases, "List who holds which endpoint", add_list_leases},
    VerbEntry{"add-peer", kPeers, "Make a remote node's pool reachable", add_add_peer},
    VerbEntry{"remove-peer", kPeers, "Forget a remote node's pool", add_remove_peer},
    VerbEntry{"list-peers", kPeers, "List the remote nodes and what is missing", add_list_peers},
    VerbEntry{"agent", kPeers, "Keep the peers in step with an overlay", add_agent},
    VerbEntry{"frr-config", kPeers, "Print FRR's configuration for overlay evpn", add_frr_config},
    VerbEntry{"allocate-block", kBlocks, "Take addresses and a VNI that no other node has",
              add_allocate_block},
    VerbEntry{"release-block", kBlocks, "Give them back", add_release_block},
    VerbEntry{"list-blocks", kBlocks, "List who has which addresses", add_list_blocks},
    VerbEntry{"fleet-run", kFleet,
              "Run instances of a function: here, or over the nodes of a fleet", add_fleet_run},
    VerbEntry{"fleet-agent", kFleet, "Run jobs on this node, for clients and other agents",
              add_fleet_agent},
    VerbEntry{"fleet-pipeline", kFleet, "Run a video pipeline: a worker for each chunk and stage",
              add_fleet_pipeline},
    VerbEntry{"fleet-ps", kFleet, "List the jobs of an agent", add_fleet_ps},
    VerbEntry{"fleet-logs", kFleet, "Print what a job's instances wrote", add_fleet_logs},
    VerbEntry{"fleet-kill", kFleet, "End a job", add_fleet_kill},
    VerbEntry{"fleet-nodes", kFleet, "List the nodes of a fleet", add_fleet_nodes},
    VerbEntry{"demo", kMachine, "Two nodes, two tenants and real traffic, timed", add_demo},
    VerbEntry{"doctor", kMachine, "What this kernel and user can do, and what to do about it",
              add_doctor},
    VerbEntry{"gc", kMachine, "Remove or repair what crashes left behind", add_gc},
    VerbEntry{"completion", kMachine, "Print a shell's completion script", add_completion},
    VerbEntry{"version", kMachine, "Print the version", add_version},
    VerbEntry{"bench", kMeasuring, "What connecting N endpoints, or containers, costs", add_bench},
    VerbEntry{"bench-list", kMeasuring, "List what `bench` measures", add_bench_list},
    VerbEntry{"bench-report", kMeasuring, "Make a page of what `bench` measured", add_bench_report},
    VerbEntry{"bench-compare", kMeasuring, "Compare two results of `bench`", add_bench_compare},
    VerbEntry{"trace", kMeasuring, "Where the time of a command goes, in the kernel and out of it",
              add_trace},
    VerbEntry{"__list", kHidden, "", add_list_names},
    VerbEntry{"__describe", kHidden, "", add_describe},
};

/// The arguments, taken apart just far enough to know which verb's options to build: building all
/// of them would cost more than the verb itself.
struct Arguments {
  std::string verb;
  std::vector<std::string>
      words;  ///< everything but the verb and what follows `--` of a verb that runs a command
  std::vector<std::string> command;  ///< what follows `--` of a verb that runs a command
  bool json = false;
  bool help = false;
  bool version = false;
};

bool takes_a_value(std::string_view global_option) {
  return global_option == "--run-dir";
}

bool runs_a_command(const Arguments& so_far) {
  const std::string& verb = so_far.verb;
  return verb == "exec" || verb == "run" || verb == "trace" || verb == "fleet-run";
}

/// `run` takes no argument of its own, so that the first word which is neither an option nor an
/// option's value begins the command: `particle run --pool web nginx`.
bool begins_command(const Arguments& so_far, const std::string& word, const std::string& before) {
  if (so_far.verb != "run" || word.starts_with("-")) {
    return false;
  }
  constexpr std::array kSwitches = {"--allow-raw", "--json", "--no-color", "--help",
                                    "-h",          "-v",     "-vv",        "--verbose"};
  const bool is_value = before.starts_with("-") && before.find('=') == std::string::npos &&
                        std::find(kSwitches.begin(), kSwitches.end(), before) == kSwitches.end();
  return !is_value;
}

const VerbEntry* find_verb(std::string_view name) {
  const auto* found = std::find_if(kVerbs.begin(), kVerbs.end(),
                                   [&](const VerbEntry& verb) { return verb.name == name; });
  return found == kVerbs.end() ? nullptr : found;
}

/// `bench report` is another spelling of the verb `bench-report`, and so on.
bool joins(const std::string& verb, const std::string& next) {
  return (verb == "bench" || verb == "fleet") && find_verb(verb + "-" + next) != nullptr;
}

Arguments take_apart(int argc, char** argv) {
  Arguments out;
  const std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string& word = all[i];
    if (word == "--") {
      const bool is_command = runs_a_command(out);
      const auto rest = all.begin() + static_cast<std::ptrdiff_t>(is_command ? i + 1 : i);
      std::vector<std::string>& to = is_command ? out.command : out.words;
      to.insert(to.end(), rest, all.end());
      break;
    }
    if (out.verb.empty() && !word.empty() && word.front() != '-') {
      out.verb = word;
      if (i + 1 < all.size() && joins(word, all[i + 1])) out.verb += "-" + all[++i];
      continue;
    }
    if (begins_command(out, word, i > 0 ? all[i - 1] : "")) {
      out.command.assign(all.begin() + static_cast<std::ptrdiff_t>(i), all.end());
      break;
    }
    out.json = out.json || word == "--json";
    out.help = out.help || word == "--help" || word == "-h";
    out.version = out.version || word == "--version" || word == "-V";
    out.words.push_back(word);
    if (takes_a_value(word) && i + 1 < all.size()) {
      out.words.push_back(all[++i]);
    }
  }
  return out;
}

std::vector<std::string> visible_verbs() {
  std::vector<std::string> names;
  for (const VerbEntry& verb : kVerbs) {
    if (!verb.group.empty()) {
      names.emplace_back(verb.name);
    }
  }
  return names;
}

std::string overview() {
  constexpr std::size_t kColumn = 16;
  std::string out =
      "Usage: particle [--run-dir DIR] [--json] VERB ...\n\n"
      "Particle gives each tenant one network namespace per node and a pool of addresses in it:\n"
      "the containers of a tenant share the namespace, each with its own routable IP.\n"
      "The node is the network namespace that the command runs in.\n";
  std::string_view group;
  for (const VerbEntry& verb : kVerbs) {
    if (verb.group.empty()) {
      continue;
    }
    if (verb.group != group) {
      group = verb.group;
      out += "\n" + std::string(group) + ":\n";
    }
    std::string name(verb.name);
    name.resize(kColumn, ' ');
    out += "  " + name + std::string(verb.summary) + "\n";
  }
  out +=
      "\n`particle VERB --help` shows the options of a verb, with examples.\n"
      "`particle create-pool --help` is enough to make two nodes talk.\n\n"
      "Global options (before or after the verb):\n"
      "  --run-dir DIR   Where records, leases and pinned namespaces are kept (environment:\n"
      "                  PARTICLE_RUN_DIR; default: /run/particle)\n"
      "  --json          Print the result, or the error, as JSON on stdout\n"
      "  --no-color      No colours, not even on a terminal (environment: NO_COLOR)\n"
      "  -v, --verbose   Log what happens to stderr; -vv logs more\n"
      "  -h, --help      Show help and exit\n"
      "  -V, --version   Print the version and exit\n\n"
      "Exit codes:\n";
  for (const ExitCode& entry : exit_codes()) {
    std::string code = std::to_string(entry.code);
    code.insert(0, 3 - code.size(), ' ');
    out += "  " + code + "  " + std::string(entry.meaning) + "\n";
  }
  return out;
}

int finish(const Context& context, int code) {
  if (const Result<void> flushed = flush_output(); !flushed) {
    Context plain = context;
    plain.json = false;  // stdout is what failed
    const int failed = print_error(plain, flushed.error());
    return code == kExitOk ? failed : code;
  }
  return code;
}

int finish_with(const Context& context, const Error& error) {
  return finish(context, print_error(context, error));
}

int run_verb(const VerbEntry& verb, Arguments& arguments, Context& context) {
  CLI::App root;
  add_global_options(root, context);
  verb.add(root, context);
  root.require_subcommand(1, 1);
  try {
    // CLI11 wants the last word first.
    std::reverse(arguments.words.begin(), arguments.words.end());
    std::vector<std::string> words;
    words.reserve(arguments.words.size() + 2);
    for (std::string& word : arguments.words) {
      // `--option=` with nothing after it is an empty value, which CLI11 takes for no value.
      if (word.starts_with("--") && word.size() > 3 && word.ends_with('=')) {
        words.emplace_back();
        word.pop_back();
      }
      words.push_back(std::move(word));
    }
    words.emplace_back(verb.name);
    root.parse(words);
  } catch (const CLI::CallForHelp&) {
    print(help_of(*root.get_subcommand(std::string(verb.name)), root));
    return finish(context, kExitOk);
  } catch (const CLI::ParseError& error) {
    context.json = arguments.json;
    return finish_with(context, usage_error(error, root, context.verb));
  }
  set_log_verbosity(context.verbosity);
  const Result<int> code = context.action();
  return code ? finish(context, *code) : finish_with(context, code.error());
}

/// `particle fleet --help`: what follows `fleet` is a verb of its own.
std::string fleet_overview() {
  constexpr std::string_view kPrefix = "fleet-";
  std::string out =
      "Usage: particle fleet VERB ...\n\n"
      "Jobs of many containers, each with an address of a pool, on this node or over many.\n\n";
  for (const VerbEntry& verb : kVerbs) {
    if (!verb.name.starts_with(kPrefix)) continue;
    std::string name(verb.name.substr(kPrefix.size()));
    name.resize(10, ' ');
    out += "  " + name + std::string(verb.summary) + "\n";
  }
  return out + "\n`particle fleet VERB --help` shows the options of a verb, with examples.\n";
}

/// `particle fleet` alone, or with a word that it does not know.
Result<std::string> fleet_alone(const Arguments& arguments) {
  std::string word;
  for (std::size_t i = 0; i < arguments.words.size() && word.empty(); ++i) {
    const std::string& next = arguments.words[i];
    if (takes_a_value(next)) {
      ++i;
    } else if (!next.starts_with("-")) {
      word = next;
    }
  }
  if (word.empty() && arguments.help) return fleet_overview();
  const std::string hint =
      "`particle fleet` goes on with run, pipeline, agent, ps, logs, kill or nodes";
  return fail(
      word.empty()
          ? Error::of(Errc::invalid_argument, "no verb of `particle fleet` is given", hint)
          : Error::of(Errc::invalid_argument, "unknown verb " + shown("fleet " + word), hint));
}

}  // namespace

std::span<const VerbEntry> verbs() noexcept {
  return kVerbs;
}

int run(int argc, char** argv, const AgentVerbs& agent_verbs) {
  Arguments arguments = take_apart(argc, argv);
  Context context;
  context.arguments.assign(argv + std::min(argc, 1), argv + argc);
  context.agent_verbs = agent_verbs;
  const char* run_dir = std::getenv("PARTICLE_RUN_DIR");
  context.run_dir = run_dir != nullptr && *run_dir != '\0' ? run_dir : std::string(kDefaultRunDir);
  context.json = arguments.json;
  context.command = std::move(arguments.command);
  if (arguments.verb == "help") {
    // `particle help VERB` and `particle help`
    const auto word = [&](std::size_t i) {
      return i < arguments.words.size() ? arguments.words[i] : std::string();
    };
    arguments.verb = word(0) + (joins(word(0), word(1)) ? "-" + word(1) : "");
    arguments.words = {"--help"};
    arguments.help = true;
  }
  if (arguments.verb.empty()) {
    if (arguments.help) {
      print(overview());
      return finish(context, kExitOk);
    }
    if (arguments.version) {
      print(std::string("particle ") + kVersion + "\n");
      return finish(context, kExitOk);
    }
    return finish_with(context, missing_verb());
  }
  const VerbEntry* verb = find_verb(arguments.verb);
  if (verb == nullptr && arguments.verb == "fleet") {
    const Result<std::string> said = fleet_alone(arguments);
    if (!said) return finish_with(context, said.error());
    print(*said);
    return finish(context, kExitOk);
  }
  if (verb == nullptr) {
    return finish_with(context, unknown_verb(arguments.verb, visible_verbs()));
  }
  context.verb = arguments.verb;
  context.json = false;
  return run_verb(*verb, arguments, context);
}

}  // namespace particle::cli
