// SPDX-License-Identifier: Apache-2.0
/// State of nodes that are gone: below <run dir>/cni, beside this node's.
#pragma once

#include <string>

namespace particle::cni {

/// Removes the plugin's files of nodes of an earlier boot, and of nodes of this boot that have
/// neither pools (`node-<id>` is gone) nor a file younger than ten minutes. Their namespaces are
/// libparticle's business (`particle gc`).
void try_sweep_nodes(const std::string& run_dir, const std::string& own_id);

}  // namespace particle::cni
