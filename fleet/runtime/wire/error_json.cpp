// SPDX-License-Identifier: Apache-2.0
#include "wire/error_json.hpp"

#include <array>

namespace particle::fleet {
namespace {

constexpr std::array<std::string_view, 14> kKinds = {
    "invalid_argument", "not_found", "already_exists",  "conflict",      "permission_denied",
    "unsupported",      "busy",      "exhausted",       "corrupt_state", "io",
    "interrupted",      "protocol",  "unknown_outcome", "kernel"};

std::error_code code_of(std::string_view kind) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (kKinds[i] == kind) return make_error_code(static_cast<Errc>(i + 1));
  }
  return make_error_code(Errc::protocol);
}

}  // namespace

Json error_to_json(const Error& error) {
  Json out = {{"kind", kKinds.at(static_cast<std::size_t>(error.kind()) - 1)},
              {"operation", error.operation}};
  const bool from_kernel = error.code.category() == std::generic_category() ||
                           error.code.category() == std::system_category();
  if (from_kernel) out["errno"] = error.code.value();
  if (!error.kernel_message.empty()) out["kernel_message"] = error.kernel_message;
  if (!error.hint.empty()) out["hint"] = error.hint;
  if (!error.details.empty()) out["details"] = error.details;
  return out;
}

Error error_from_json(const Json& value) {
  Faults ignored;
  ObjectReader reader(value, "", ignored);
  Error error;
  std::string kind;
  reader.text("kind", kind);
  error.code = code_of(kind);
  if (const auto number = reader.number("errno", 4095)) {
    error.code = std::error_code(static_cast<int>(*number), std::generic_category());
  }
  reader.text("operation", error.operation);
  reader.text("kernel_message", error.kernel_message);
  reader.text("hint", error.hint);
  reader.texts("details", error.details);
  return error;
}

}  // namespace particle::fleet
