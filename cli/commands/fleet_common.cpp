// SPDX-License-Identifier: Apache-2.0
#include "commands/fleet_common.hpp"

#include <charconv>

#include "agent_program.hpp"
#include "input.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

Error expected(std::string hint) {
  return Error::of(Errc::invalid_argument, {}, std::move(hint));
}

}  // namespace

Result<int> run_fleet(Context& context, const FleetRequest& request) {
  if (context.agent_verbs.run_fleet != nullptr) {
    return context.agent_verbs.run_fleet(context, request);
  }
  return fail(become_fleet(context));
}

void add_start_options(CLI::App& verb, Value& agent, Value& enforce, Value& events,
                       Value& timeline) {
  add_value(verb, "--agent", agent, "FILE",
            "The socket of an agent (default: this node's, when one runs here; else no agent)");
  add_value(verb, "--enforce", enforce, "auto|ebpf|seccomp|preload|off",
            "What keeps an instance to its address (default: auto)");
  add_value(verb, "--events", events, "FILE", "Write every event there, one JSON object a line");
  add_value(verb, "--timeline", timeline, "FILE", "Draw a picture of the job there (SVG)");
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  unsigned shift = 0;
  std::string_view digits = text;
  if (!text.empty() && kUnits.find(text.back()) != std::string_view::npos) {
    shift = 10 * (static_cast<unsigned>(kUnits.find(text.back())) + 1);
    digits.remove_suffix(1);
  }
  const auto number = parse_number(digits);
  if (!number || (shift != 0 && *number >> (64 - shift) != 0)) {
    return fail(expected("bytes, or a number with K, M, G or T: 64M"));
  }
  return *number << shift;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  using std::chrono::milliseconds;
  const auto wrong = [] { return fail(expected("a time like 5s, 250ms, 2m or 1.5")); };
  if (text.ends_with("ms")) {
    constexpr std::uint64_t kDay = 86'400'000;
    const auto number = parse_number(text.substr(0, text.size() - 2));
    if (!number || *number > kDay) return wrong();
    return milliseconds(static_cast<std::int64_t>(*number));
  }
  const bool minutes = text.ends_with("m");
  if (minutes || text.ends_with("s")) text.remove_suffix(1);
  const auto seconds = parse_seconds(text);
  if (!seconds) return wrong();
  return minutes ? *seconds * 60 : *seconds;
}

Result<std::uint64_t> parse_whole(std::string_view text) {
  const auto number = parse_number(text);
  if (!number) return fail(expected("a whole number from 0 up"));
  return *number;
}

Result<fleet::Backend> parse_backend_name(std::string_view text) {
  if (text == "builtin") return fleet::Backend::builtin;
  if (text == "runc") return fleet::Backend::runc;
  if (text == "containerd") return fleet::Backend::containerd;
  return fail(expected("builtin, runc or containerd"));
}

Result<double> parse_decimal(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(expected("a number like 0.5"));
  }
  return value;
}

}  // namespace particle::cli
