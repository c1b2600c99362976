// SPDX-License-Identifier: Apache-2.0
#include "worker/work.hpp"

namespace particle::sprocket {

Result<void> Work::fill_all(UniqueFd data, std::uint64_t frame_count,
                            const std::optional<Format>& format) {
  for (WorkOutput& output : outputs) {
    auto copy = data.duplicate();
    if (!copy) return fail(std::move(copy.error()));
    output.data = std::move(*copy);
    output.frames = frame_count;
    output.format = format;
  }
  return {};
}

}  // namespace particle::sprocket
