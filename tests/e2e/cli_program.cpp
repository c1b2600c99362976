// SPDX-License-Identifier: Apache-2.0
#include "e2e/cli_program.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace particle::test {
namespace {

using Json = nlohmann::json;

Json load_schema(const std::string& file) {
  const std::string path = std::string(PARTICLE_TEST_SOURCE_DIR) + "/../docs/json-schema/" + file;
  std::ifstream stream(path);
  Json schema = Json::parse(stream, nullptr, false);
  if (schema.is_discarded()) throw std::runtime_error(path + " is no JSON");
  return schema;
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return value.type_name() == type;
}

class Checker {
 public:
  std::vector<std::string> violations;

  void check(const Json& value, const Json& schema, const std::string& where) {
    if (schema.contains("$ref")) check(value, resolve(schema["$ref"]), where);
    if (schema.contains("const") && value != schema["const"])
      note(where, value, "another constant");
    if (schema.contains("enum")) check_enum(value, schema["enum"], where);
    if (schema.contains("type")) check_type(value, schema["type"], where);
    if (schema.contains("oneOf")) check_one_of(value, schema["oneOf"], where);
    if (value.is_object()) check_object(value, schema, where);
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        check(value[i], schema["items"], where + "/" + std::to_string(i));
      }
    }
  }

 private:
  static Json resolve(const std::string& reference) {
    const std::size_t hash = reference.find('#');
    return load_schema(reference.substr(0, hash))
        .at(Json::json_pointer(reference.substr(hash + 1)));
  }

  void note(const std::string& where, const Json& value, const std::string& why) {
    violations.push_back(where + ": " + why + ": " + value.dump());
  }

  void check_enum(const Json& value, const Json& allowed, const std::string& where) {
    for (const Json& one : allowed) {
      if (value == one) return;
    }
    note(where, value, "not one of " + allowed.dump());
  }

  void check_type(const Json& value, const Json& type, const std::string& where) {
    const Json types = type.is_array() ? type : Json::array({type});
    for (const Json& one : types) {
      if (has_type(value, one.get<std::string>())) return;
    }
    note(where, value, "not of type " + types.dump());
  }

  void check_one_of(const Json& value, const Json& schemas, const std::string& where) {
    std::vector<std::string> reasons;
    int fitting = 0;
    for (const Json& schema : schemas) {
      Checker one;
      one.check(value, schema, where);
      fitting += one.violations.empty() ? 1 : 0;
      reasons.insert(reasons.end(), one.violations.begin(), one.violations.end());
    }
    if (fitting == 1) return;
    note(where, value, "fits " + std::to_string(fitting) + " alternatives");
    violations.insert(violations.end(), reasons.begin(), reasons.end());
  }

  void check_object(const Json& value, const Json& schema, const std::string& where) {
    for (const Json& key : schema.value("required", Json::array())) {
      if (!value.contains(key.get<std::string>())) note(where, value, "lacks " + key.dump());
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [key, item] : value.items()) {
      if (properties.contains(key)) {
        check(item, properties[key], where + "/" + key);
      } else if (!schema.value("additionalProperties", true)) {
        note(where, item, "has the undocumented key " + key);
      }
    }
  }
};

}  // namespace

std::string particle_program() {
  const char* given = std::getenv("PARTICLE_BINARY");
  return given != nullptr ? given : PARTICLE_TEST_BIN_DIR "/particle";
}

CommandResult run_particle(const std::vector<std::string>& arguments, const NetNs* node,
                           const std::vector<std::string>& environment) {
  std::vector<std::string> argv;
  if (!environment.empty()) argv.emplace_back("env");
  argv.insert(argv.end(), environment.begin(), environment.end());
  argv.push_back(particle_program());
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_command(argv, node);
}

nlohmann::json parse_output(const CommandResult& result) {
  Json value = Json::parse(result.out, nullptr, false);
  if (value.is_discarded()) {
    throw std::runtime_error("exit code " + std::to_string(result.exit_code) +
                             ", no JSON on stdout: " + result.out + result.err);
  }
  return value;
}

std::vector<std::string> schema_violations(const nlohmann::json& value, const std::string& name) {
  Checker checker;
  checker.check(value, load_schema(name + ".json"), "");
  return checker.violations;
}

}  // namespace particle::test
