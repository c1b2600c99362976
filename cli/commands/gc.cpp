// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include <particle/node.hpp>
#include <particle_bind/enforce.hpp>
#include <particle_runtime/collect.hpp>

#include "commands/commands.hpp"
#include "exit_codes.hpp"
#include "json.hpp"
#include "node_access.hpp"
#include "options.hpp"
#include "output.hpp"
#include "peer_file.hpp"

namespace particle::cli {
namespace {

struct Args {
  Value alive;
  bool dry_run = false;
};

std::set<std::string, std::less<>> words_of(const std::string& text) {
  std::set<std::string, std::less<>> words;
  std::size_t start = 0;
  while ((start = text.find_first_not_of(" \t\r\n", start)) != std::string::npos) {
    const std::size_t end = std::min(text.find_first_of(" \t\r\n", start), text.size());
    words.insert(text.substr(start, end - start));
    start = end;
  }
  return words;
}

std::string action_text(GcAction action, bool dry_run, const Style& style) {
  const std::string word(to_string(action));
  if (action == GcAction::kept) {
    return style.bad(word);
  }
  return dry_run ? style.warn("would be " + word) : style.good(word);
}

std::string describe(const GcFinding& finding, bool dry_run, const Style& style) {
  return action_text(finding.action, dry_run, style) + ": " + finding.object +
         (finding.reason.empty() ? "" : ": " + finding.reason) + "\n";
}

/// Bind enforcement of endpoints that nobody leases any more, now that dead leases are released.
Result<void> end_unleased(const Node& node, const Args& args, std::vector<GcFinding>& findings) {
  if (args.dry_run) {
    return {};
  }
  const auto ended = bind::sweep(node.run_dir(), node.id(), [&node] { return node.leases(); });
  if (!ended) {
    return fail(ended.error());
  }
  for (const std::string& endpoint : *ended) {
    findings.push_back({GcAction::removed, "enforcement of " + endpoint, "nobody leases it"});
  }
  return {};
}

Result<int> run(Context& context, const Args& args) {
  const Result<Node> node = open_node(context);
  if (!node) {
    return fail(node.error());
  }
  GcOptions options;
  options.dry_run = args.dry_run;
  if (args.alive) {
    Result<std::string> text = read_text_file(args.alive.text);
    if (!text) {
      return fail(text.error());
    }
    // The list is of containers' names, which are no holders where particle-runc or particle-cni leased;
    // and a process, too, is a sign of life that needs no list.
    options.holder_alive = [&node, alive = words_of(*text)](const Lease& lease) {
      return alive.contains(lease.holder) || lease.process || runtime::is_recorded(*node, lease);
    };
  }
  Result<std::vector<GcFinding>> findings = node->collect_garbage(options);
  if (!findings) {
    return fail(findings.error());
  }
  // Containers first: their leases hold their enforcement.
  for (GcFinding& finding : runtime::collect_containers(*node, args.dry_run)) {
    findings->push_back(std::move(finding));
  }
  if (auto ok = end_unleased(*node, args, *findings); !ok) {
    return fail(ok.error());
  }
  if (context.json) {
    Json list = Json::array();
    for (const GcFinding& finding : *findings) {
      list.push_back(finding_to_json(finding));
    }
    print_json({{"dry_run", args.dry_run}, {"findings", list}});
  } else {
    const Style style = Style::of_stdout(context);
    for (const GcFinding& finding : *findings) {
      print(describe(finding, args.dry_run, style));
    }
    if (findings->empty()) {
      print("nothing to clean up\n");
    }
  }
  const bool kept = std::any_of(findings->begin(), findings->end(), [](const GcFinding& finding) {
    return finding.action == GcAction::kept;
  });
  return kept && !args.dry_run ? kExitKernel : kExitOk;
}

}  // namespace

void add_gc(CLI::App& root, Context& context) {
  auto args = std::make_shared<Args>();
  CLI::App& verb = begin_verb(
      root,
      {"gc", "[--dry-run] [--alive FILE]",
       "Finds what crashes, reboots and vanished nodes left under the run directory, and "
       "removes or repairs it: half-made pools, namespaces without a record, leases of "
       "processes that are gone. What is in order stays untouched. Exits with 1 when something "
       "had to be kept.\n"
       "\n"
       "A lease with a process, or of a container that particle-runc or particle-cni keep a record "
       "of, is judged by that and not by --alive.",
       "# What it would do:\n"
       "particle gc --dry-run\n"
       "particle gc\n"
       "\n"
       "# Also release the leases of containers that are not running any more:\n"
       "ctr containers list --quiet | particle gc --alive -\n"});
  add_switch(verb, "--dry-run", args->dry_run, "Say what would be done and change nothing");
  add_value(verb, "--alive", args->alive, "FILE",
            "The holders that live, one per line; leases of all others are released; `-` is stdin");
  on_run(verb, context, args, run);
}

}  // namespace particle::cli
