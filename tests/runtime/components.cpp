// SPDX-License-Identifier: Apache-2.0
#include "runtime/components.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <unistd.h>

#include "support/skip.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kFolders{"usr/bin", "usr/sbin", "bin", "sbin"};
// What the tests' containers run.
constexpr std::array kApplets{"cat",     "echo", "env",      "hostname", "id",    "ip",
                              "netstat", "ping", "readlink", "sh",       "sleep", "true"};

bool is_program(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path);
}

}  // namespace

std::string components_directory() {
  const char* chosen = std::getenv("PARTICLE_COMPONENTS");
  if (chosen != nullptr && *chosen != '\0') return chosen;
  return fs::path(PARTICLE_TEST_SOURCE_DIR).parent_path() / "build/components";
}

std::string component_path(const std::string& first) {
  std::string path = first;
  for (const char* folder : kFolders) {
    path += (path.empty() ? "" : ":") + components_directory() + "/root/" + folder;
  }
  return path + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

std::string component_library_path() {
  return components_directory() + "/root/usr/lib/x86_64-linux-gnu:" + components_directory() +
         "/root/usr/lib/aarch64-linux-gnu";
}

std::optional<std::string> find_component(const std::string& program) {
  std::istringstream folders(component_path());
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (is_program(folder + "/" + program)) return folder + "/" + program;
  }
  return std::nullopt;
}

bool need_components(const std::vector<std::string>& programs) {
  if (::geteuid() != 0) {
    skip("container engines need root");
    return false;
  }
  for (const std::string& program : programs) {
    if (find_component(program)) continue;
    skip_component(program, "packaging/components.sh did not unpack it, and it is not in PATH");
    return false;
  }
  return true;
}

std::string component(const std::string& program) {
  const auto found = find_component(program);
  if (!found) throw std::runtime_error("there is no " + program);
  return *found;
}

std::string wrapper_program() {
  return std::string(PARTICLE_TEST_BIN_DIR) + "/particle-runc";
}

void make_rootfs(const std::string& directory) {
  for (const char* name : {"bin", "dev", "etc", "proc", "sys", "tmp"}) {
    fs::create_directories(directory + "/" + name);
  }
  fs::copy_file(component("busybox"), directory + "/bin/busybox");
  fs::copy_file(std::string(PARTICLE_TEST_BIN_DIR) + "/particle-test-greeter",
                directory + "/bin/greeter");
  for (const char* applet : kApplets) {
    fs::create_symlink("busybox", directory + "/bin/" + applet);
  }
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace particle::test
