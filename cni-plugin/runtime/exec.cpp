// SPDX-License-Identifier: Apache-2.0
#include "bundle.hpp"
#include "call.hpp"
#include "child.hpp"
#include "endpoint.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

/// The variables that the container's first process has; none when its lease is gone.
Result<Environment> environment_in(const Call& call) {
  const auto node = Node::open({call.settings.run_dir});
  if (!node) return fail(node.error());
  const auto record = read_record(call.place());
  if (!record) return fail(record.error());
  if (!*record) return Environment{};
  const auto held = held_by(*node, (*record)->holder);
  if (!held) return fail(held.error());
  return *held ? environment_of(**held) : Environment{};
}

/// Engines describe the process in a file, from what they know of the container: without what the
/// wrapper changed. Without --process the runtime takes what the container itself has.
Result<void> change_description(const Call& call, BundleChanges changes) {
  auto environment = environment_in(call);
  if (environment) {
    changes.environment = *std::move(environment);
  } else {
    // A process without the variables is better than none: it may be there to repair something.
    report_warning(call.line, environment.error());
  }
  const auto text = read_file(call.line.process);
  if (!text) return fail(text.error());
  if (!*text) return {};
  const auto process = JsonText::parse(**text);
  if (!process) return {};  // the real runtime says it better
  const auto changed = rewrite_process(*process, changes);
  if (!changed) return fail(changed.error());
  return *changed == **text ? Result<void>{} : replace_file(call.line.process, *changed);
}

}  // namespace

int exec_in_container(const Call& call) {
  if (!exists(call.place().directory)) {
    return report_failure(call.line, become(call.runtime, call.line.rest));
  }
  BundleChanges changes;
  if (call.enforcement != nullptr) {
    auto joined = call.enforcement->join(changes, call.place().directory);
    if (!joined) return report_failure(call.line, joined.error());
  }
  if (!call.line.process.empty()) {
    auto done = change_description(call, changes);
    // Without enforcement only the variables are missing then.
    if (!done && !changes.dropped_capabilities.empty()) {
      return report_failure(call.line, done.error());
    }
    if (!done) report_warning(call.line, done.error());
  }
  return report_failure(call.line, become(call.runtime, call.line.rest));
}

}  // namespace particle::runtime
