// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "adapter.hpp"

namespace particle::overlay {

/// Errors: invalid_argument when the file's name is empty. A file that is not there, or is faulty, is
/// said by health(): it may come later than this process.
Result<std::unique_ptr<Adapter>> make_static_adapter(const AdapterContext& context);

}  // namespace particle::overlay
