// SPDX-License-Identifier: Apache-2.0
/// The command line from arguments to exit code.
#pragma once

#include <span>
#include <string_view>

#include "context.hpp"

namespace CLI {
class App;
}

namespace particle::cli {

/// A verb of the command line. Verbs without a group are hidden.
struct VerbEntry {
  std::string_view name;
  std::string_view group;
  std::string_view summary;
  void (*add)(CLI::App& root, Context& context);
};

/// All verbs, in the order in which help shows them.
std::span<const VerbEntry> verbs() noexcept;

/// Parses and runs one command. Returns the exit code.
int run(int argc, char** argv, const AgentVerbs& agent_verbs = {});

}  // namespace particle::cli
