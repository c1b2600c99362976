// SPDX-License-Identifier: Apache-2.0
/// `Result<T>`: a value or an `Error`. Nothing in libparticle throws across its API for a failure
/// of the kernel or of the input.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include <particle/error.hpp>

namespace particle {

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail(error);` from any function that returns a `Result`.
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace particle
