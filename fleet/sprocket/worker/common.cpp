// SPDX-License-Identifier: Apache-2.0
#include "stages/common.hpp"

namespace particle::sprocket {

std::string text_of(const nlohmann::json& parameters, const char* name,
                    const std::string& otherwise) {
  const auto found = parameters.find(name);
  return found != parameters.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

Result<void> expect_frames(const Work& work, std::uint64_t frames) {
  if (frames == work.frames) return {};
  return fail(Error::of(Errc::protocol, "stage " + work.stage + ": " + std::to_string(frames) +
                                            " frames came out of " + std::to_string(work.frames)));
}

std::string chain(const std::vector<std::string>& filters) {
  std::string out;
  for (const std::string& filter : filters) {
    if (!filter.empty()) out += (out.empty() ? "" : ",") + filter;
  }
  return out;
}

}  // namespace particle::sprocket
