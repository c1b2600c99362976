// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <particle_sprocket/stage.hpp>

namespace particle::sprocket {
namespace {

using Json = nlohmann::json;

const StageKind* find_by_name(std::string_view name) noexcept {
  const auto kinds = stage_kinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [&](const StageKind* kind) { return kind->name == name; });
  return found == kinds.end() ? nullptr : *found;
}

std::string_view wanted(ParameterKind kind) {
  switch (kind) {
    case ParameterKind::text:
      return "must be text that is not empty";
    case ParameterKind::number:
      return "must be a number, 0 or above";
    case ParameterKind::whole:
      return "must be a whole number, 0 or above";
    case ParameterKind::flag:
      return "must be true or false";
    case ParameterKind::texts:
      return "must be a list of texts";
  }
  return "";
}

bool fits(ParameterKind kind, const Json& value) {
  switch (kind) {
    case ParameterKind::text:
      return value.is_string() && !value.get_ref<const std::string&>().empty();
    case ParameterKind::number:
      return value.is_number() && value.get<double>() >= 0;
    case ParameterKind::whole:
      return value.is_number_unsigned();
    case ParameterKind::flag:
      return value.is_boolean();
    case ParameterKind::texts:
      return value.is_array() && std::all_of(value.begin(), value.end(),
                                             [](const Json& each) { return each.is_string(); });
  }
  return false;
}

}  // namespace

const StageKind* find_stage(std::string_view stage) noexcept {
  constexpr std::string_view kExec = "exec:";
  if (stage.starts_with(kExec)) {
    const bool absolute = stage.size() > kExec.size() + 1 && stage[kExec.size()] == '/';
    return absolute ? find_by_name("exec") : nullptr;
  }
  return stage == "exec" ? nullptr : find_by_name(stage);
}

std::vector<std::pair<std::string, std::string>> check_parameters(const StageKind& kind,
                                                                  const Json& parameters) {
  std::vector<std::pair<std::string, std::string>> faults;
  for (const auto& [key, value] : parameters.items()) {
    const auto known = std::find_if(kind.parameters.begin(), kind.parameters.end(),
                                    [&](const Parameter& each) { return each.name == key; });
    if (known == kind.parameters.end()) {
      if (!kind.any_parameters) {
        faults.emplace_back(key, "stage " + std::string(kind.name) + " has no such parameter");
      }
    } else if (!fits(known->kind, value)) {
      faults.emplace_back(key, wanted(known->kind));
    }
  }
  for (const Parameter& parameter : kind.parameters) {
    if (parameter.required && !parameters.contains(parameter.name)) {
      faults.emplace_back(parameter.name, "is missing: " + std::string(parameter.summary));
    }
  }
  return faults;
}

}  // namespace particle::sprocket
