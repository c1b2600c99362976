// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <particle/result.hpp>

namespace particle::fleet {

/// What an image is on this node.
struct Image {
  std::vector<std::string> layers;       ///< directories, the lowest first
  std::vector<std::string> environment;  ///< of an OCI image's configuration
  std::vector<std::string> command;      ///< likewise: entry point and arguments
};

/// "" is the node's own root; `oci:DIRECTORY[:TAG]` is an OCI image layout, whose layers are unpacked
/// below `cache`, once for each digest.
/// Errors: not_found; invalid_argument for a layout that is none, or whose contents are not what their
/// digests say; what unpacking ran into.
Result<Image> open_image(const std::string& image, const std::string& cache);

}  // namespace particle::fleet
