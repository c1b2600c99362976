// SPDX-License-Identifier: Apache-2.0
#include "settings.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle/node.hpp>

#include "files.hpp"

namespace particle::runtime {
namespace {

using Json = nlohmann::json;

constexpr const char* kSettingsFile = "/etc/particle/particle-runc.json";
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::array<const char*, 2> kRuntimes{"runc", "crun"};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Error wrong(const std::string& what) {
  return Error::of(
      Errc::invalid_argument, what,
      "the keys are runtime (path), runDir (path), poolFromEnvironment (true or false) "
      "and enforce (auto, ebpf, seccomp or off)");
}

bool is_enforcement(const std::string& text) {
  return text == "auto" || text == "ebpf" || text == "seccomp" || text == "off";
}

Result<void> take(Settings& settings, const std::string& key, const Json& value) {
  const bool path = value.is_string() && value.get_ref<const std::string&>().starts_with("/");
  if (key == "runtime" || key == "runDir") {
    if (!path) return fail(wrong("key " + key + " is not an absolute path"));
    (key == "runtime" ? settings.runtime : settings.run_dir) = value.get<std::string>();
  } else if (key == "enforce") {
    if (!is_enforcement(value.is_string() ? value.get<std::string>() : "")) {
      return fail(wrong("key " + key + " is not auto, ebpf, seccomp or off"));
    }
    settings.enforce = value.get<std::string>();
  } else if (key == "poolFromEnvironment") {
    if (!value.is_boolean()) return fail(wrong("key " + key + " is not true or false"));
    settings.pool_from_environment = value.get<bool>();
  } else {
    return fail(wrong("there is no key " + key));
  }
  return {};
}

Result<Settings> read_settings(const std::string& path) {
  auto text = read_file(path);
  if (!text) return fail(std::move(text.error()));
  if (!*text) {
    if (path == kSettingsFile) return Settings{};
    return fail(Error::of(Errc::not_found, path, "PARTICLE_RUNC_CONFIG names it"));
  }
  auto settings = parse_settings(**text);
  if (!settings) settings.error().operation.insert(0, path + ": ");
  return settings;
}

/// Device and inode: the same program under whatever name.
bool same_file(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool is_program(const std::string& path, struct stat& status) {
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<Settings> parse_settings(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return fail(wrong("it is no JSON object"));
  Settings settings;
  for (const auto& [key, value] : json.items()) {
    if (auto ok = take(settings, key, value); !ok) return fail(std::move(ok.error()));
  }
  return settings;
}

Settings load_settings() {
  const std::string path = variable("PARTICLE_RUNC_CONFIG");
  auto read = read_settings(path.empty() ? kSettingsFile : path);
  Settings settings = read.value_or(Settings{});
  if (!read) settings.problem = std::move(read.error());
  if (const std::string runtime = variable("PARTICLE_RUNC"); !runtime.empty()) {
    settings.runtime = runtime;
  }
  if (const std::string directory = variable("PARTICLE_RUN_DIR"); !directory.empty()) {
    settings.run_dir = directory;
  }
  if (settings.run_dir.empty()) settings.run_dir = kDefaultRunDir;
  if (const std::string enforce = variable("PARTICLE_ENFORCE"); !enforce.empty()) {
    settings.enforce = enforce;
    if (!is_enforcement(enforce)) {
      settings.problem = wrong("PARTICLE_ENFORCE is not auto, ebpf, seccomp or off");
    }
  }
  return settings;
}

Result<std::string> find_runtime(const Settings& settings) {
  struct stat self{};
  struct stat found{};
  if (::stat("/proc/self/exe", &self) != 0) return fail(Error::from_errno(errno, "/proc/self/exe"));
  if (!settings.runtime.empty()) {
    if (is_program(settings.runtime, found) && !same_file(self, found)) return settings.runtime;
    return fail(Error::of(Errc::not_found, "runtime " + settings.runtime,
                          "PARTICLE_RUNC or the key runtime must name runc or crun, and not "
                          "particle-runc itself"));
  }
  const std::string search = variable("PATH").empty() ? kDefaultPath : variable("PATH");
  for (const char* name : kRuntimes) {
    for (std::size_t begin = 0; begin <= search.size();) {
      const std::size_t end = std::min(search.find(':', begin), search.size());
      std::string path = search.substr(begin, end - begin) + "/" + name;
      if (is_program(path, found) && !same_file(self, found)) return path;
      begin = end + 1;
    }
  }
  return fail(Error::of(Errc::not_found, "runc or crun in PATH " + search,
                        "install runc, or name it by PARTICLE_RUNC or the key runtime"));
}

std::string default_root(const std::string& runtime) {
  const std::string name = runtime.find("crun") == std::string::npos ? "runc" : "crun";
  const std::string home = variable("XDG_RUNTIME_DIR");
  if (::geteuid() != 0 && !home.empty()) return home + "/" + name;
  return "/run/" + name;
}

}  // namespace particle::runtime
