// SPDX-License-Identifier: Apache-2.0
/// OCI image layouts: a directory with index.json and blobs. Source: opencontainers/image-spec,
/// image-layout.md, manifest.md, layer.md.
#pragma once

#include <string>

#include <particle/result.hpp>

#include "launcher/image.hpp"

namespace particle::fleet {

/// `where`: DIRECTORY or DIRECTORY:TAG. Errors: as open_image().
Result<Image> open_layout(const std::string& where, const std::string& cache);

}  // namespace particle::fleet
