// SPDX-License-Identifier: Apache-2.0
#include "plugin_driver.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/skip.hpp"

namespace particle::test {

std::string cni_program() {
  const char* given = std::getenv("PARTICLE_CNI_BINARY");
  return given != nullptr ? given : PARTICLE_TEST_BIN_DIR "/particle-cni";
}

Json CniAnswer::json() const {
  Json value = Json::parse(out, nullptr, false);
  if (value.is_discarded()) throw std::runtime_error("no JSON on stdout: " + out + err);
  return value;
}

int CniAnswer::code() const {
  if (exit_code == 0) return 0;
  const Json value = Json::parse(out, nullptr, false);
  const bool is_error = value.is_object() && value.contains("code") && value.contains("msg") &&
                        value.contains("cniVersion") && value["code"].is_number_unsigned();
  return is_error ? value["code"].get<int>() : -1;
}

std::string CniAnswer::message() const {
  return exit_code == 0 ? std::string() : json().value("msg", "") + json().value("details", "");
}

CniScene::CniScene() : nodes_(make_two_nodes()) {}

std::string CniScene::container(const std::string& id) {
  std::filesystem::create_directories(dir_.file("netns"));
  std::string path = dir_.file("netns/" + id);
  if (!std::filesystem::exists(path)) must(pin_netns(must(create_netns()).netns, path));
  return path;
}

Json CniScene::conf(const std::string& version) const {
  return {{"cniVersion", version},
          {"name", "web"},
          {"type", "particle-cni"},
          {"tenant", "acme"},
          {"vni", 100},
          {"prefix", "10.1.0.0/24"},
          {"count", 8},
          {"runDir", run_dir()},
          {"underlayDev", kUnderlayDevice}};
}

CniEnvironment CniScene::environment(const std::string& verb, const std::string& id,
                                     const CniEnvironment& overrides) {
  CniEnvironment variables{{"CNI_COMMAND", verb},
                           {"CNI_CONTAINERID", id},
                           {"CNI_NETNS", dir_.file("netns/" + id)},
                           {"CNI_IFNAME", "eth0"},
                           {"CNI_PATH", "/opt/cni/bin"}};
  for (const auto& [name, value] : overrides) variables[name] = value;
  return variables;
}

CniAnswer CniScene::call(const CniEnvironment& environment, const std::string& input) const {
  return call_program(cni_program(), environment, input);
}

CniAnswer CniScene::call_program(const std::string& program, const CniEnvironment& environment,
                                 const std::string& input) const {
  const std::string path = dir_.file("input-" + std::to_string(++calls_));
  std::ofstream(path) << input;
  std::vector<std::string> argv{"env", "-i"};
  for (const auto& [name, value] : environment) {
    if (!value.empty()) argv.push_back(name + "=" + value);
  }
  for (const std::string& word : {std::string("/bin/sh"), std::string("-c"),
                                  std::string("exec \"$0\" < \"$1\""), program, path})
    argv.push_back(word);
  CommandResult result = run_command(argv, &nodes_.a);
  std::filesystem::remove(path);
  return {result.exit_code, std::move(result.out), std::move(result.err)};
}

CniAnswer CniScene::call(const std::string& verb, const std::string& id, const Json& conf,
                         const CniEnvironment& overrides) {
  return call(environment(verb, id, overrides), conf.dump());
}

Json CniScene::add(const std::string& id, const Json& conf, const CniEnvironment& overrides) {
  container(id);
  const CniAnswer answer = call("ADD", id, conf, overrides);
  CAPTURE(answer.out);
  CAPTURE(answer.err);
  REQUIRE(answer.exit_code == 0);
  return answer.json();
}

void CniScene::del(const std::string& id, const Json& conf, const CniEnvironment& overrides) {
  const CniAnswer answer = call("DEL", id, conf, overrides);
  CAPTURE(answer.out);
  CAPTURE(answer.err);
  CHECK(answer.exit_code == 0);
  CHECK(answer.out.empty());
}

Node CniScene::node() const {
  std::optional<Node> node;
  must(nodes_.a.run([&]() -> Result<void> {
    auto opened = Node::open({run_dir()});
    if (!opened) return fail(std::move(opened.error()));
    node.emplace(*std::move(opened));
    return {};
  }));
  return *std::move(node);
}

std::vector<std::string> CniScene::leftovers() const {
  std::vector<std::string> paths;
  if (!std::filesystem::exists(run_dir())) return paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run_dir()))
    paths.push_back(entry.path().string());
  return paths;
}

std::string address_of(const Json& result, std::size_t index) {
  const auto text = result.at("ips").at(index).at("address").get<std::string>();
  return text.substr(0, text.find('/'));
}

std::string reference_plugins() {
  const char* given = std::getenv("PARTICLE_COMPONENTS");
  const std::string components =
      given != nullptr ? given : PARTICLE_TEST_BIN_DIR "/../../components";
  std::string path = components + "/root/usr/lib/cni";
  if (std::filesystem::exists(path + "/tuning")) return path;
  skip_component("containernetworking-plugins", "not unpacked below build/components");
  return {};
}

}  // namespace particle::test
