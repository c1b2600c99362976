// SPDX-License-Identifier: Apache-2.0
#include "runtime/bundle_scene.hpp"

#include <filesystem>
#include <sstream>

#include "runtime/components.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json mount(const char* destination, const char* type, const char* source,
           std::vector<std::string> options) {
  return {{"destination", destination},
          {"type", type},
          {"source", source},
          {"options", std::move(options)}};
}

}  // namespace

std::vector<std::string> greeter(const std::string& name) {
  return {"greeter", "serve", name};
}

std::vector<std::string> greeting_at(const std::string& address) {
  return {"greeter", "ask", address};
}

Json config_of(const BundleSpec& spec, const std::string& rootfs) {
  Json config{{"ociVersion", "1.0.2"}};
  std::vector<std::string> environment{"PATH=/bin"};
  environment.insert(environment.end(), spec.environment.begin(), spec.environment.end());
  config["process"] = {{"terminal", false},
                       {"user", {{"uid", 0}, {"gid", 0}}},
                       {"args", spec.command},
                       {"env", environment},
                       {"cwd", "/"},
                       {"capabilities",
                        {{"bounding", spec.capabilities},
                         {"effective", spec.capabilities},
                         {"permitted", spec.capabilities}}},
                       {"noNewPrivileges", true}};
  config["root"] = {{"path", rootfs}, {"readonly", false}};
  config["hostname"] = "box";
  config["mounts"] = Json::array(
      {mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
       mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"})});
  for (const auto& one : spec.mounts) config["mounts"].push_back(one);
  if (!spec.annotations.empty()) config["annotations"] = spec.annotations;
  config["linux"]["namespaces"] = Json::array({{{"type", "pid"}},
                                               {{"type", "network"}},
                                               {{"type", "ipc"}},
                                               {{"type", "uts"}},
                                               {{"type", "mount"}}});
  if (!spec.seccomp.is_null()) config["linux"]["seccomp"] = spec.seccomp;
  return config;
}

Runtime::Runtime(const NetNs& node, const std::string& directory, const std::string& run_dir,
                 const std::string& runtime, std::vector<std::string> launcher)
    : node_(node),
      directory_(directory),
      root_(directory + "/runtime-root"),
      run_dir_(run_dir),
      runtime_(runtime),
      launcher_(std::move(launcher)) {
  if (!exists(fs::status(directory_ + "/rootfs"))) make_rootfs(directory_ + "/rootfs");
}

Runtime::~Runtime() {
  clear();
}

void Runtime::clear() {
  for (const std::string& id : started_) {
    if (fs::exists(root_ + "/" + id)) static_cast<void>(call({"delete", "--force", id}));
  }
  started_.clear();
}

std::string Runtime::make_bundle(const std::string& name, const BundleSpec& spec) const {
  const std::string bundle = directory_ + "/bundle-" + name;
  fs::create_directories(bundle);
  write_text(bundle + "/config.json", config_of(spec, directory_ + "/rootfs").dump(2));
  return bundle;
}

std::vector<std::string> Runtime::words(const std::vector<std::string>& words) const {
  // This machine's settings must not count: an empty file says that nothing is set.
  const std::string settings = directory_ + "/settings.json";
  if (!fs::exists(settings)) write_text(settings, "{}");
  std::vector<std::string> all = launcher_;
  for (const std::string& word :
       {std::string("env"), "LD_LIBRARY_PATH=" + component_library_path(),
        "PARTICLE_RUNC=" + runtime_, "PARTICLE_RUN_DIR=" + run_dir_,
        "PARTICLE_RUNC_CONFIG=" + settings, wrapper_program(), std::string("--root"), root_}) {
    all.push_back(word);
  }
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

CommandResult Runtime::call(const std::vector<std::string>& arguments) const {
  return run_command(words(arguments), &node_);
}

CommandResult Runtime::call_quietly(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all{"sh", "-c", R"(exec "$@" >/dev/null 2>&1)", "sh"};
  for (const auto& word : words(arguments)) all.push_back(word);
  return run_command(all, &node_);
}

CommandResult Runtime::call_real(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all{"env", "LD_LIBRARY_PATH=" + component_library_path(), runtime_,
                               "--root", root_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_command(all, &node_);
}

CommandResult Runtime::start(const std::string& id, const BundleSpec& spec) {
  started_.push_back(id);
  const std::string log = directory_ + "/" + id + ".log";
  CommandResult result = call_quietly({"--log", log, "--log-format", "json", "run", "--detach",
                                       "--bundle", make_bundle(id, spec), id});
  if (result.exit_code != 0 && fs::exists(log)) result.err = read_text(log);
  return result;
}

std::unique_ptr<Command> Runtime::start_soon(const std::string& id, const BundleSpec& spec) {
  started_.push_back(id);
  std::vector<std::string> all{"sh", "-c", R"(exec "$@" >/dev/null 2>&1)", "sh"};
  for (const auto& word : words({"run", "--detach", "--bundle", make_bundle(id, spec), id})) {
    all.push_back(word);
  }
  return std::make_unique<Command>(all, &node_);
}

std::string Runtime::exec(const std::string& id, const std::vector<std::string>& command) const {
  std::vector<std::string> all{"exec", id};
  all.insert(all.end(), command.begin(), command.end());
  return call(all).out;
}

std::string Runtime::variable(const std::string& id, const std::string& name) const {
  const auto state = nlohmann::json::parse(call({"state", id}).out, nullptr, false);
  if (!state.is_object()) return {};
  const std::string process = "/proc/" + std::to_string(state.at("pid").get<int>());
  // Between `start` and execve(2) it is still the runtime's own.
  eventually([&] { return read_text(process + "/cmdline").find("init") == std::string::npos; });
  std::istringstream variables(read_text(process + "/environ"));
  for (std::string text; std::getline(variables, text, '\0');) {
    if (text.starts_with(name + "=")) return text.substr(name.size() + 1);
  }
  return {};
}

std::uint64_t Runtime::netns_inode(const std::string& id) const {
  const auto state = nlohmann::json::parse(call({"state", id}).out);
  return must(must(NetNs::open_pid(state.at("pid").get<int>())).inode());
}

std::size_t entries_in(const std::string& directory) {
  std::error_code none;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(directory, none)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

}  // namespace particle::test
