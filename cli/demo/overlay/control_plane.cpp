// SPDX-License-Identifier: Apache-2.0
#include "demo/overlay/control_plane.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo/sockets.hpp"
#include "overlay-adapters/evpn/frr_config.hpp"

#include <poll.h>

namespace particle::cli::demo {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kDaemonPatience{20};
constexpr std::uint16_t kEtcdPort = 2379;

/// Where Debian's packages have them.
std::vector<std::string> in_bin() {
  return {"usr/bin", "usr/sbin"};
}
std::vector<std::string> in_frr() {
  return {"usr/lib/frr", "usr/bin"};
}

Result<std::string> find_agent() {
  std::error_code error;
  const auto self = fs::read_symlink("/proc/self/exe", error);
  std::string beside = self.parent_path() / "particle-agent";
  if (!error && ::access(beside.c_str(), X_OK) == 0) return beside;
  return find_program("particle-agent", {"usr/bin"}, "particle");
}

Result<void> write_text(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file || ::chmod(path.c_str(), mode) != 0)
    return fail(Error::from_errno(errno != 0 ? errno : EIO, "write " + path));
  return {};
}

std::string read_small_file(const std::string& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Waits until `ready` says so. Errors: interrupted, or what ended or was too slow.
Result<void> wait_for(const std::string& what, Process& process, const Watch& watch,
                      const std::function<bool()>& ready) {
  const auto deadline = Clock::now() + kDaemonPatience;
  while (!ready()) {
    if (auto ok = watch.check(); !ok) return ok;
    if (!process.runs()) return fail(Error::of(Errc::io, what + " ended: " + process.last_words()));
    if (Clock::now() > deadline)
      return fail(Error::of(Errc::io, what + " does not answer: " + process.last_words()));
    std::this_thread::sleep_for(milliseconds(10));
  }
  return {};
}

bool listens(const NetNs& netns, const IpAddress& address, std::uint16_t port) {
  bool answered = false;
  (void)netns.run([&]() -> Result<void> {
    auto socket = open_connection(nullptr, address, port);
    if (!socket) return {};
    pollfd wait{socket->get(), POLLOUT, 0};
    answered = ::poll(&wait, 1, 100) > 0 && pending_error(*socket) == 0;
    return {};
  });
  return answered;
}

Result<void> start_etcd(ControlPlane& plane, const Fleet& fleet, const std::string& directory,
                        const Watch& watch) {
  auto program = find_program("etcd", in_bin(), "etcd-server");
  if (!program) return fail(std::move(program.error()));
  const std::string url = std::string("http://") + kServerAddress + ":2379";
  const std::string own = "http://127.0.0.1:2380";
  auto etcd = Process::start(
      {*program, "--name=demo", "--data-dir=" + directory + "/etcd", "--listen-client-urls=" + url,
       "--advertise-client-urls=" + url, "--listen-peer-urls=" + own,
       "--initial-advertise-peer-urls=" + own, "--initial-cluster=demo=" + own,
       "--heartbeat-interval=20", "--election-timeout=200", "--logger=zap"},
      fleet.switch_netns, directory + "/etcd.log");
  if (!etcd) return fail(std::move(etcd.error()));
  plane.daemons.push_back(*std::move(etcd));
  const IpAddress address = *IpAddress::parse(kServerAddress);
  return wait_for("etcd", plane.daemons.back(), watch,
                  [&] { return listens(fleet.switch_netns, address, kEtcdPort); });
}

/// FRR insists on groups that only its package's installation makes. This process has a mount namespace
/// of its own, so that nobody else sees this one.
Result<void> add_frr_groups(const std::string& directory) {
  const std::string groups = read_small_file("/etc/group");
  if (groups.find("\nfrrvty:") != std::string::npos) return {};
  const std::string path = directory + "/group";
  const std::string more = groups + "frr:x:2147480001:\nfrrvty:x:2147480002:root\n";
  if (auto done = write_text(path, more, 0644); !done) return done;
  if (::mount(path.c_str(), "/etc/group", nullptr, MS_BIND, nullptr) != 0)
    return fail(
        Error::from_errno(errno, "mount over /etc/group in the demo's own mount namespace"));
  return {};
}

struct FrrPrograms {
  std::string zebra, bgpd, vtysh;
};

Result<FrrPrograms> find_frr() {
  FrrPrograms out;
  for (const auto& [name, path] : {std::pair{"zebra", &out.zebra}, std::pair{"bgpd", &out.bgpd},
                                   std::pair{"vtysh", &out.vtysh}}) {
    auto found = find_program(name, in_frr(), "frr");
    if (!found) return fail(std::move(found.error()));
    *path = *std::move(found);
  }
  return out;
}

/// Where a node's daemons have their sockets, and the agent finds them.
std::string frr_directory(const std::string& directory, const FleetNode& node) {
  return directory + "/frr-" + node.name;
}

Result<void> configure_frr(const FrrPrograms& frr, const Fleet& fleet, const FleetNode& node,
                           const std::string& directory) {
  const std::string own = frr_directory(directory, node);
  fs::create_directories(own);
  overlay::evpn::FrrConfigSpec spec;
  spec.local = node.underlay;
  for (const auto& other : fleet.nodes) {
    if (other.underlay != node.underlay) spec.peers.push_back(other.underlay);
  }
  spec.keepalive = 1;
  if (auto done = write_text(own + "/frr.conf", overlay::evpn::frr_config(spec)); !done)
    return done;
  if (auto done = write_text(own + "/vtysh.conf", "username root nopassword\n"); !done) return done;
  return write_text(own + "/vtysh",
                    "#!/bin/sh\nLD_LIBRARY_PATH='" + component_libraries() + "' exec '" +
                        frr.vtysh + "' --config_dir '" + own + "' \"$@\"\n",
                    0700);
}

Result<Process> start_frr_daemon(const std::string& name, const std::string& program,
                                 const FleetNode& node, const std::string& own,
                                 const Watch& watch) {
  auto env = find_program("env", in_bin(), "coreutils");
  if (!env) return fail(std::move(env.error()));
  auto process = Process::start(
      {*env, "LD_LIBRARY_PATH=" + component_libraries(), program, "-u", "root", "-g", "root",
       "--vty_socket", own, "-z", own + "/zserv.api", "-f", own + "/frr.conf", "-i",
       own + "/" + name + ".pid", "-A", "127.0.0.1", "-P", "0"},
      node.netns, own + "/" + name + ".log");
  if (!process) return process;
  auto ready = wait_for(name + " on node " + node.name, *process, watch,
                        [&] { return fs::exists(own + "/" + name + ".vty"); });
  if (!ready) return fail(std::move(ready.error()));
  return process;
}

Result<void> start_frr(ControlPlane& plane, const Fleet& fleet, const std::string& directory,
                       const Watch& watch) {
  auto frr = find_frr();
  if (!frr) return fail(std::move(frr.error()));
  if (auto done = add_frr_groups(directory); !done) return done;
  std::uint64_t started = 0;
  for (const auto& node : fleet.nodes) {
    watch.tell("starting FRR", started++, fleet.nodes.size());
    if (auto done = configure_frr(*frr, fleet, node, directory); !done) return done;
    const std::string own = frr_directory(directory, node);
    for (const auto& [name, program] :
         {std::pair{"zebra", frr->zebra}, std::pair{"bgpd", frr->bgpd}}) {
      auto process = start_frr_daemon(name, program, node, own, watch);
      if (!process) return fail(std::move(process.error()));
      plane.daemons.push_back(*std::move(process));
    }
  }
  return {};
}

Result<void> start_agents(ControlPlane& plane, const std::string& overlay, const Fleet& fleet,
                          const std::string& directory) {
  auto agent = find_agent();
  if (!agent) return fail(std::move(agent.error()));
  for (const auto& node : fleet.nodes) {
    std::vector<std::string> argv{*agent,   "--run-dir", node.node.run_dir(),
                                  "agent",  "--overlay", overlay,
                                  "--node", node.name};
    if (overlay == "etcd") {
      argv.insert(argv.end(),
                  {"--etcd-endpoints", std::string("http://") + kServerAddress + ":2379"});
    } else {
      const std::string own = frr_directory(directory, node);
      argv.insert(argv.end(), {"--evpn-vtysh", own + "/vtysh", "--evpn-vty-sockets", own});
    }
    auto process = Process::start(argv, node.netns, directory + "/agent-" + node.name + ".log");
    if (!process) return fail(std::move(process.error()));
    plane.agents.push_back(*std::move(process));
  }
  return {};
}

}  // namespace

Result<void> ControlPlane::check() {
  for (auto* group : {&daemons, &agents}) {
    for (auto& process : *group) {
      if (!process.runs())
        return fail(Error::of(Errc::io, "a daemon of the demo ended: " + process.last_words()));
    }
  }
  return {};
}

Result<void> check_programs(const std::string& overlay) {
  auto agent = find_agent();
  if (!agent) return fail(std::move(agent.error()));
  if (overlay == "etcd") {
    auto etcd = find_program("etcd", in_bin(), "etcd-server");
    if (!etcd) return fail(std::move(etcd.error()));
    return {};
  }
  if (::geteuid() != 0) {
    return fail(Error::of(Errc::permission_denied, "FRR's daemons need root",
                          "sudo particle demo --overlay evpn; --overlay etcd does without"));
  }
  auto frr = find_frr();
  if (!frr) return fail(std::move(frr.error()));
  return {};
}

Result<ControlPlane> start_control_plane(const std::string& overlay, const Fleet& fleet,
                                         const std::string& directory, const Watch& watch) {
  ControlPlane plane;
  auto started = overlay == "etcd" ? start_etcd(plane, fleet, directory, watch)
                                   : start_frr(plane, fleet, directory, watch);
  if (!started) return fail(std::move(started.error()));
  if (auto done = start_agents(plane, overlay, fleet, directory); !done)
    return fail(std::move(done.error()));
  return plane;
}

}  // namespace particle::cli::demo
