// SPDX-License-Identifier: Apache-2.0
#include "launcher/runtime_sweep.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "launcher/limit_groups.hpp"
#include "launcher/place.hpp"
#include "launcher/program.hpp"

namespace particle::fleet {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int kDeathMilliseconds = 2000;
/// containerd goes on with what a killed client asked for.
constexpr std::chrono::milliseconds kSettling{5000};
constexpr std::chrono::milliseconds kBetweenLooks{50};

std::vector<std::string> ctr(const RuntimeChoice& choice, std::vector<std::string> words) {
  words.insert(words.begin(),
               {choice.program, "--address", choice.socket, "--namespace", kContainerdNamespace});
  return words;
}

/// Each word with a zero behind it.
std::string command_line_of(const fs::path& process) {
  const UniqueFd file(::open((process / "cmdline").c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(8192, '\0');
  const ssize_t size = file.valid() ? ::read(file.get(), text.data(), text.size()) : 0;
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

/// Is what stands at `at` a number, and then the end or a zero?
bool is_number(const std::string& text, std::size_t at) {
  const std::size_t end = std::min(text.find('\0', at), text.size());
  return end > at && text.find_first_not_of("0123456789", at) >= end;
}

/// Those whose command line is as wanted, one after the other.
void end_processes(const std::function<bool(const std::string&)>& wanted) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const UniqueFd process(
        static_cast<int>(::syscall(SYS_pidfd_open, std::strtol(name.c_str(), nullptr, 10), 0)));
    // Looked at once it is held: the number is no other process's then.
    if (!process.valid() || !wanted(command_line_of(entry.path()))) continue;
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
    pollfd gone = {process.get(), POLLIN, 0};
    ::poll(&gone, 1, kDeathMilliseconds);
  }
}

/// Those of the job that containerd still has a task or a record of.
std::set<std::string> known_to_containerd(const RuntimeChoice& choice, const std::string& prefix) {
  std::set<std::string> ids;
  for (const char* what : {"tasks", "containers"}) {
    const Result<std::string> listed = run_program(ctr(choice, {what, "list", "--quiet"}));
    if (!listed) return {};  // it does not run, and nothing of it either
    std::istringstream lines(*listed);
    for (std::string id; std::getline(lines, id);) {
      // With more than a number behind it, it is another job's, whose name begins like this one's.
      if (id.starts_with(prefix) && is_number(id, prefix.size())) ids.insert(id);
    }
  }
  return ids;
}

void delete_from_containerd(const RuntimeChoice& choice, const std::string& directory,
                            const std::string& prefix) {
  const auto deadline = std::chrono::steady_clock::now() + kSettling;
  for (int clean = 0; clean < 2 && std::chrono::steady_clock::now() < deadline; ++clean) {
    const std::set<std::string> ids = known_to_containerd(choice, prefix);
    for (const std::string& id : ids) delete_container(choice, directory, id);
    if (!ids.empty()) clean = -1;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

/// A shim whose client was killed at the wrong moment is forgotten by containerd.
void end_shims(const std::string& prefix) {
  using namespace std::string_literals;
  const std::string words = "-namespace\0"s + kContainerdNamespace + "\0-id\0"s + prefix;
  end_processes([&](const std::string& line) {
    const std::size_t at = line.find(words);
    return at != std::string::npos && is_number(line, at + words.size());
  });
}

std::vector<fs::path> bundles_in(const std::string& directory) {
  std::vector<fs::path> all;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos) all.push_back(entry.path());
  }
  return all;
}

}  // namespace

std::string container_id(const Node& node, const std::string& job, std::uint64_t token) {
  return "fleet-" + node.id() + "-" + job + "-" + std::to_string(token);
}

std::string runc_root(const std::string& directory) {
  return directory + "/root";
}

void delete_container(const RuntimeChoice& choice, const std::string& directory,
                      const std::string& id) {
  if (choice.containerd) {
    static_cast<void>(run_program(ctr(choice, {"tasks", "delete", "--force", id})));
    static_cast<void>(run_program(ctr(choice, {"containers", "delete", id})));
  } else {
    static_cast<void>(
        run_program({choice.program, "--root", runc_root(directory), "delete", "--force", id}));
  }
}

void remove_bundle(const std::string& bundle) {
  std::error_code ignored;
  // Never through a mount that could not be taken away.
  if (::umount2((bundle + "/rootfs").c_str(), MNT_DETACH) == 0 || errno == EINVAL ||
      errno == ENOENT) {
    fs::remove_all(bundle, ignored);
  }
}

std::vector<std::string> end_containers(const Node& node, const std::string& place,
                                        const std::string& job) {
  std::vector<std::string> lines;
  const std::string directory = place + kBundles;
  std::ifstream file(directory + kRuntimeRecord);
  const Json record = Json::parse(file, nullptr, false);
  if (!record.is_object()) return lines;
  const RuntimeChoice choice{record.value("containerd", false),
                             record.value("program", std::string()),
                             record.value("socket", std::string())};
  // Clients name their bundle. They would go on to start its container.
  end_processes(
      [&](const std::string& line) { return line.find(directory + "/") != std::string::npos; });
  // Whatever runs in containers, known to their runtime already or not yet.
  for (const std::string& path : end_limit_groups(limit_groups_of(node, job))) {
    lines.push_back("control group " + path);
  }
  if (choice.containerd) {
    const std::string prefix = "fleet-" + node.id() + "-" + job + "-";
    delete_from_containerd(choice, directory, prefix);
    end_shims(prefix);
  } else {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(runc_root(directory), ignored)) {
      delete_container(choice, directory, entry.path().filename());
    }
  }
  for (const fs::path& bundle : bundles_in(directory)) {
    remove_bundle(bundle);
    lines.push_back("container " + bundle.filename().string() + " of job " + job);
  }
  return lines;
}

}  // namespace particle::fleet
