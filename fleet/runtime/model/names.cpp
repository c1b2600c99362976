// SPDX-License-Identifier: Apache-2.0
#include "model/names.hpp"

#include <array>

namespace particle::fleet {
namespace {

constexpr std::array<std::string_view, 8> kPhases = {
    "queued", "leased", "created", "started", "connected", "transferring", "processing", "done"};
constexpr std::array<std::string_view, 8> kEnds = {
    "ok", "failed", "signalled", "timed_out", "out_of_memory", "killed", "lost", "refused"};
constexpr std::array<std::string_view, 2> kPlacements = {"round-robin", "most-free"};
constexpr std::array<std::string_view, 2> kStreams = {"output", "error"};

template <class T, std::size_t N>
std::optional<T> find(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<T>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Phase phase) noexcept {
  return kPhases.at(static_cast<std::size_t>(phase));
}
std::string_view to_string(Ended ended) noexcept {
  return kEnds.at(static_cast<std::size_t>(ended));
}
std::string_view to_string(Stream stream) noexcept {
  return kStreams.at(static_cast<std::size_t>(stream));
}

std::string_view to_string(Placement placement) noexcept {
  return kPlacements.at(static_cast<std::size_t>(placement));
}
Result<Placement> parse_placement(std::string_view text) {
  if (const auto found = find<Placement>(kPlacements, text)) return *found;
  return fail(Error::of(Errc::invalid_argument, "placement " + std::string(text),
                        "round-robin or most-free"));
}

std::optional<Phase> find_phase(std::string_view text) noexcept {
  return find<Phase>(kPhases, text);
}
std::optional<Ended> find_ended(std::string_view text) noexcept {
  return find<Ended>(kEnds, text);
}
std::optional<Stream> find_stream(std::string_view text) noexcept {
  return find<Stream>(kStreams, text);
}

}  // namespace particle::fleet
