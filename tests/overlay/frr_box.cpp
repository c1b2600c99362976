// SPDX-License-Identifier: Apache-2.0
#include "overlay/frr_box.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include "runtime/components.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

std::string library_path() {
  const std::string base = component_library_path();
  std::string all = base;
  std::istringstream folders(base);
  for (std::string folder; std::getline(folders, folder, ':');) all += ":" + folder + "/frr";
  return all;
}

std::string frr_program(const std::string& name) {
  for (const std::string& path : {components_directory() + "/root/usr/lib/frr/" + name,
                                  components_directory() + "/root/usr/bin/" + name,
                                  "/usr/lib/frr/" + name, "/usr/bin/" + name}) {
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

/// FRR insists on the group of its vty sockets, which only the package's installation makes. In a mount
/// namespace of its own each daemon sees one with root in it.
constexpr const char* kEnter = R"(mount --bind "$1" /etc/group && shift && exec "$@")";

/// FRR's script looks four times a second whether a daemon has ended, and stops zebra last.
constexpr std::chrono::milliseconds kScriptPause{250};

}  // namespace

bool need_frr() {
  if (!need_root()) return false;
  for (const char* program : {"zebra", "bgpd", "vtysh"}) {
    if (!frr_program(program).empty()) continue;
    skip_component("frr", std::string(program) + " was not unpacked by packaging/components.sh");
    return false;
  }
  return true;
}

FrrBox::FrrBox(const NetNs& node, const std::string& directory, const std::string& configuration)
    : node_(node), directory_(directory) {
  fs::create_directories(directory_);
  write_text(directory_ + "/frr.conf", configuration);
  write_text(directory_ + "/vtysh.conf", "username root nopassword\n");
  write_text(directory_ + "/group",
             read_text("/etc/group") + "frr:x:2147480001:\nfrrvty:x:2147480002:root\n");
  write_text(vtysh(), "#!/bin/sh\nLD_LIBRARY_PATH='" + library_path() + "' exec '" +
                          frr_program("vtysh") + "' --config_dir '" + directory_ + "' \"$@\"\n");
  ::chmod(vtysh().c_str(), 0700);
  start();
}

std::unique_ptr<Command> FrrBox::start_daemon(const std::string& daemon) const {
  fs::remove(directory_ + "/" + daemon + ".vty");
  auto command = std::make_unique<Command>(
      std::vector<std::string>{"unshare",
                               "--mount",
                               "--propagation=slave",
                               "setpriv",
                               "--pdeathsig",
                               "KILL",
                               "sh",
                               "-c",
                               kEnter,
                               "sh",
                               directory_ + "/group",
                               "env",
                               "LD_LIBRARY_PATH=" + library_path(),
                               frr_program(daemon),
                               "-u",
                               "root",
                               "-g",
                               "root",
                               "--vty_socket",
                               directory_,
                               "-z",
                               directory_ + "/zserv.api",
                               "-f",
                               directory_ + "/frr.conf",
                               "-i",
                               directory_ + "/" + daemon + ".pid",
                               "-A",
                               "127.0.0.1",
                               "-P",
                               "0",
                               "--log",
                               "file:" + directory_ + "/" + daemon + ".log"},
      &node_);
  for (int i = 0; i < 1000; ++i) {
    if (fs::exists(directory_ + "/" + daemon + ".vty")) return command;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  throw std::runtime_error(daemon +
                           " did not start: " + command->finish(std::chrono::seconds(1)).err);
}

void FrrBox::start_bgpd() {
  bgpd_ = start_daemon("bgpd");
}

void FrrBox::restart_zebra() {
  zebra_.reset();
  zebra_ = start_daemon("zebra");
}

void FrrBox::start() {
  zebra_ = start_daemon("zebra");
  start_bgpd();
}

void FrrBox::stop_in_good_order() {
  for (auto* daemon : {&bgpd_, &zebra_}) {
    (*daemon)->signal(SIGINT);
    (void)(*daemon)->finish();
    daemon->reset();
    std::this_thread::sleep_for(kScriptPause);
  }
}

void FrrBox::kill() {
  bgpd_.reset();
  zebra_.reset();
}

std::string FrrBox::vtysh() const {
  return directory_ + "/vtysh";
}

std::string FrrBox::show(const std::string& command) const {
  return run_command({vtysh(), "--vty_socket", directory_, "-c", command}).out;
}

}  // namespace particle::test
