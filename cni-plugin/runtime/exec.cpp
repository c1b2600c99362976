// SPDX-License-Identifier: Apache-2.0
#include "bundle.hpp"
#include "call.hpp"
#include "child.hpp"
#include "endpoint.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

/// Engines describe the process in a file, from what they know of the container: without what the
/// wrapper added. Without --process the runtime takes the environment of the container itself.
Result<void> add_environment(const Call& call) {
  const auto node = Node::open({call.settings.run_dir});
  if (!node) return fail(node.error());
  const auto record = read_record(call.place());
  if (!record) return fail(record.error());
  if (!*record) return {};
  const auto held = held_by(*node, (*record)->holder);
  if (!held) return fail(held.error());
  const auto text = read_file(call.line.process);
  if (!text) return fail(text.error());
  if (!*held || !*text) return {};
  const auto process = JsonText::parse(**text);
  if (!process) return {};  // the real runtime says it better
  const auto changed = rewrite_process(*process, environment_of(**held));
  if (!changed) return fail(changed.error());
  return replace_file(call.line.process, *changed);
}

}  // namespace

int exec_in_container(const Call& call) {
  if (!call.line.process.empty() && exists(call.place().directory)) {
    // A process without the variables is better than none: it may be there to repair something.
    if (auto done = add_environment(call); !done) report_warning(call.line, done.error());
  }
  return report_failure(call.line, become(call.runtime, call.line.rest));
}

}  // namespace particle::runtime
