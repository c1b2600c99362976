// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "agent.hpp"
#include "call.hpp"
#include "child.hpp"
#include "container_enforcement.hpp"
#include "help.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

int run(const std::vector<std::string>& words) {
  // The real runtime owns --help and --version.
  if (words.size() == 1 && words.front() == "--particle-help") return print_help();
  if (words.size() == 1 && words.front() == "--particle-version") return print_version();
  if (words.size() == 2 && words.front() == "--particle-enforce") {
    return enforce_from_hook(words.back());
  }
  if (words.size() == 3 && words.front() == "--particle-agent") {
    return be_the_agent(words[1], words[2]);
  }
  Call call;
  call.line = read_command_line(words);
  call.settings = load_settings();
  ContainerEnforcement enforcement(call.settings);
  call.enforcement = &enforcement;
  if (words.size() == 1 && words.front() == "--particle-gc") return collect_garbage(call.settings);
  auto runtime = find_runtime(call.settings);
  if (!runtime) return report_failure(call.line, runtime.error());
  call.runtime = *std::move(runtime);
  call.root = absolute(call.line.root.empty() ? default_root(call.runtime) : call.line.root);
  if (call.line.verb != Verb::other) {
    // Without a node there are no pools: containers that ask for one are told so when they are made.
    if (const auto node = Node::open({call.settings.run_dir})) call.node_id = node->id();
  }
  switch (call.line.verb) {
    case Verb::create:
    case Verb::run:
      return make_container(call);
    case Verb::remove:
      return delete_container(call);
    case Verb::exec:
      return exec_in_container(call);
    case Verb::other:
      break;
  }
  return report_failure(call.line, become(call.runtime, words));
}

}  // namespace
}  // namespace particle::runtime

int main(int argc, char** argv) {
  // Exceptions stop here: memory that ran out, or a bug.
  try {
    return particle::runtime::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "particle-runc: internal error: %s\n", error.what());
    return particle::runtime::kExitFailure;
  }
}
