// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"
#include "plugin.hpp"
#include "result.hpp"

namespace particle::cni {
namespace {

Version since(Verb verb) {
  switch (verb) {
    case Verb::gc:
    case Verb::status:
      return Version::v1_1_0;
    case Verb::check:
      return Version::v0_4_0;
    case Verb::add:
    case Verb::del:
    case Verb::version:
      break;
  }
  return Version::v0_3_0;
}

/// Whether the verb can do without a valid pool description: it gives back what is recorded.
bool needs_pool(Verb verb) {
  return verb != Verb::del && verb != Verb::gc;
}

Answer<std::string> run(Verb verb, const Call& call) {
  switch (verb) {
    case Verb::add:
      return add(call);
    case Verb::del:
      return del(call);
    case Verb::check:
      return check(call);
    case Verb::gc:
      return gc(call);
    case Verb::status:
      return status(call);
    case Verb::version:
      break;
  }
  return std::string();
}

Answer<std::string> dispatch(const Environment& environment, std::string_view input,
                             const AfterStep& after, std::string& note) {
  auto verb = parse_verb(environment.command);
  if (!verb) return refuse(std::move(verb.error()));
  if (*verb == Verb::version) return versions_text(version_for_errors(input));
  auto invocation = check_environment(*verb, environment);
  if (!invocation) return refuse(std::move(invocation.error()));
  auto conf = parse_netconf(input);
  if (!conf) return refuse(std::move(conf.error()));
  if (conf->version < since(*verb)) {
    return refuse(Code::incompatible_version,
                  std::string(to_string(*verb)) + " does not exist in version " +
                      std::string(to_string(conf->version)) + " of the specification",
                  "it came with " + std::string(to_string(since(*verb))));
  }
  if (conf->fault && needs_pool(*verb)) return refuse(*std::move(conf->fault));
  note = "network " + conf->name + ": attach " + std::string(to_string(conf->attach)) + ": " +
         conf->attach_reason;
  auto node = Node::open({conf->run_dir});
  if (!node) return refuse(translate(node.error(), to_string(*verb)));
  const Call call{*invocation, *conf, *node, AttachmentStore::of(*node), after};
  return run(*verb, call);
}

}  // namespace

Reply call(const Environment& environment, std::string_view input, const AfterStep& after) {
  std::string note;
  auto answer = dispatch(environment, input, after, note);
  if (answer) return {0, *std::move(answer), std::move(note)};
  return {1, to_text(answer.error(), version_for_errors(input)), std::move(note)};
}

}  // namespace particle::cni
