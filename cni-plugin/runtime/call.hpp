// SPDX-License-Identifier: Apache-2.0
/// One call of the wrapper: the command line, and what it means here.
#pragma once

#include <string>

#include <particle/node.hpp>
#include <particle/result.hpp>

#include "command_line.hpp"
#include "enforcement.hpp"
#include "files.hpp"
#include "record.hpp"
#include "settings.hpp"

namespace particle::runtime {

struct Call {
  CommandLine line;
  Settings settings;
  std::string runtime;                     ///< the real one's path
  std::string root;                        ///< of the real runtime; absolute
  std::string node_id;                     ///< Node::id(); empty when there can be no node
  BindEnforcement* enforcement = nullptr;  ///< null: none is configured

  [[nodiscard]] std::string holder() const { return holder_name(root, line.id); }
  [[nodiscard]] RecordPlace place() const { return place_of(holder()); }
  [[nodiscard]] RecordPlace place_of(const std::string& container_holder) const {
    return record_place(settings.run_dir, node_id, container_holder);
  }
  /// Does the real runtime know the container? runc and crun keep a directory for each.
  [[nodiscard]] bool container_exists() const { return exists(root + "/" + line.id); }
};

/// `create`, `run` and `restore`. Returns the exit code.
int make_container(const Call& call);
/// `delete`. Returns the exit code.
int delete_container(const Call& call);

/// `exec`: a further process gets the variables that the first one has. Returns the exit code.
int exec_in_container(const Call& call);

/// Undoes what was done for a container that is gone, or that never came to be: ends its enforcement,
/// gives the lease back, restores the bundle where it is still there, removes the directory, whose
/// lock is `lock`.
/// Errors: what could not be undone; the directory stays then, and the same call may be repeated.
Result<void> discard(const Node& node, const RecordPlace& place, const std::string& holder,
                     const DirectoryLock& lock, BindEnforcement* enforcement);

/// Discards what was left behind by wrappers that were killed and whose containers are gone. Prints
/// what it finds. Returns the exit code.
int collect_garbage(const Settings& settings);

}  // namespace particle::runtime
