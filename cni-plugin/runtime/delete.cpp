// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"
#include "child.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

/// The container is gone; so must be what was done for it. A wrapper that is still making it, or
/// waits for its end, sees that it is gone, too, and does this itself.
Result<void> discard_when_free(const Call& call) {
  const RecordPlace place = call.place();
  const auto lock = DirectoryLock::wait_for(place.directory);
  if (!lock) {
    if (lock.error().kind() == Errc::not_found) return {};
    return fail(lock.error());
  }
  if (!*lock || call.container_exists()) return {};
  const auto node = Node::open({call.settings.run_dir});
  if (!node) return fail(node.error());
  return discard(*node, place, call.holder(), **lock, call.enforcement);
}

}  // namespace

int delete_container(const Call& call) {
  if (!exists(call.place().directory)) {
    return report_failure(call.line, become(call.runtime, call.line.rest));
  }
  const auto status = run_to_end(call.runtime, call.line.rest);
  // Running still, or refused: it keeps its endpoint.
  if (!call.container_exists()) {
    if (auto done = discard_when_free(call); !done) report_warning(call.line, done.error());
  }
  return status ? *status : report_failure(call.line, status.error());
}

}  // namespace particle::runtime
