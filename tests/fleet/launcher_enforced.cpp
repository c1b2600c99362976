// SPDX-License-Identifier: Apache-2.0
// Instances keep to their endpoints, whatever enforces it.
#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "launcher_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

constexpr const char* kEnforcedInside =
    "launcher: instances in a user namespace keep to their endpoints";

/// Two servers on one port, and what clients in other instances hear of each.
void check_siblings(const LauncherScene& scene, bind::Mechanism enforce) {
  Record record;
  const fleet::Launcher launcher = scene.open();
  fleet::JobSpec spec = scene.shell("echo ready; echo I am $PARTICLE_IP | nc -l -p 8080");
  spec.function.enforce = enforce;
  const auto job = must(launcher.start(spec, record));
  must(job->add(instances(2)));
  REQUIRE(record.wait_for_output(0, "ready"));
  REQUIRE(record.wait_for_output(1, "ready"));
  REQUIRE(record.wait_for(Phase::started, 2));  // told by another way than what they write
  std::vector<fleet::InstanceSpec> clients = instances(4);
  clients.erase(clients.begin(), clients.begin() + 2);
  for (std::uint64_t i = 0; i < 2; ++i) {
    const std::string address = record.last(Phase::started, i).endpoint->v4->to_string();
    clients[i].command = {"sh", "-c",
                          "for i in 1 2 3 4 5 6 7 8 9; do nc " + address +
                              " 8080 </dev/null && exit 0; sleep 0.1; done; exit 1"};
  }
  must(job->add(clients));
  must(job->finish());
  must(job->wait());
  for (std::uint64_t i = 0; i < 2; ++i) {
    const std::string address = record.last(Phase::started, i).endpoint->v4->to_string();
    INFO(record.errors(i + 2));
    CHECK(record.output(i + 2) == "I am " + address + "\n");
    CHECK(record.last(Phase::done, i).ended == Ended::ok);
  }
}

/// What the policy makes of it, for an endpoint of IPv4. OWN: its address.
constexpr auto kPolicyRows = std::to_array<std::pair<const char*, const char*>>(
    {{"bind-any4", "OWN"},
     {"bind-any4-udp", "OWN"},
     {"bind-any6", "::ffff:OWN"},
     {"bind-sibling", "EADDRNOTAVAIL"},
     {"bind-foreign", "EADDRNOTAVAIL"},
     {"bind-group", "EADDRNOTAVAIL"},
     {"low-port", "EACCES"},
     {"loopback4", "127.0.0.1 127.0.0.1 127.0.0.1"},
     {"any-by-loopback", "connected"},
     {"listen-unbound4", "OWN"},
     {"listen-unbound6", "::ffff:OWN"},
     {"connect-tcp", "OWN"},
     {"connect-tcp-mapped", "OWN"},
     {"connect-udp", "OWN"},
     {"sendto", "OWN"},
     {"sendmsg", "OWN"},
     {"sendmmsg", "OWN"},
     {"wide-socket", "OWN"},
     {"pktinfo-spoof", "OWN"},
     {"raw", "EPERM"},
     {"raw6", "EPERM"},
     {"packet", "EPERM"},
     {"netlink", "opened"},
     {"unix-path", "connected"},
     {"abstract", "EPERM"}});

/// In a user namespace ids of others than its root are not mapped.
bool has_all_users() {
  std::ifstream map("/proc/self/uid_map");
  unsigned long inside = 0;
  unsigned long outside = 0;
  unsigned long count = 0;
  return (map >> inside >> outside >> count) && count > 1;
}

/// What docs/bind-enforcement.md says that a mechanism cannot do for what it does not start itself.
bool is_known_gap(const std::string& row, bind::Mechanism enforce) {
  if (row == "low-port") return !has_all_users();  // the probe becomes nobody
  return enforce == bind::Mechanism::ebpf ? row.starts_with("listen-unbound")
                                          : row == "pktinfo-spoof";
}

std::string spelled(const std::string& result, const std::string& own) {
  if (result == own) return "OWN";
  return result == "::ffff:" + own ? "::ffff:OWN" : result;
}

/// The rows from inside an instance, another one being the sibling.
void check_policy(const LauncherScene& scene, bind::Mechanism enforce) {
  INFO(bind::to_string(enforce));
  const std::string probe = PARTICLE_TEST_BIN_DIR "/bind-probe-static";
  Record record;
  const fleet::Launcher launcher = scene.open();
  fleet::JobSpec spec = scene.job({"/probe", "serve"});
  spec.function.enforce = enforce;
  spec.function.mounts = {{probe, "/probe", false}};
  const auto job = must(launcher.start(spec, record));
  std::vector<fleet::InstanceSpec> all = instances(3);
  all[1].command = {"/probe", "abstract-serve", "the-sibling"};
  must(job->add({all[0], all[1]}));
  REQUIRE(record.wait_for(Phase::started, 2));
  REQUIRE(record.wait_for_output(0, "\n"));
  const std::string sibling = record.last(Phase::started, 0).endpoint->v4->to_string();
  all[2].command = {"sh", "-c",
                    "/probe all " + sibling + "; printf 'abstract '; /probe abstract the-sibling"};
  must(job->add({all[2]}));
  REQUIRE(record.wait_for(Phase::done, 1));
  const fleet::Event done = record.last(Phase::done, 2);
  INFO(done.detail << record.errors(2));
  CHECK(done.ended == Ended::ok);
  std::map<std::string, std::string> found;
  std::istringstream lines(record.output(2));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    found[line.substr(0, space)] = spelled(line.substr(space + 1), done.endpoint->v4->to_string());
  }
  for (const auto& [row, expected] : kPolicyRows) {
    if (is_known_gap(row, enforce)) continue;
    INFO(row);
    CHECK(found[row] == expected);
  }
  job->kill();
  must(job->wait());
}

void wait_for_file(const std::string& path) {
  for (int i = 0; i < 1000 && !std::filesystem::exists(path); ++i) {
    std::this_thread::sleep_for(10ms);
  }
  REQUIRE(std::filesystem::exists(path));
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("launcher: two servers have one port each on its own address") {
  if (!need_root()) return;
  const LauncherScene scene;
  check_siblings(scene, bind::Mechanism::automatic);
  check_siblings(scene, bind::Mechanism::ebpf);
  check_siblings(scene, bind::Mechanism::seccomp);
}

TEST_CASE("launcher: the bind policy holds inside instances") {
  if (!need_root()) return;
  const LauncherScene scene;
  check_policy(scene, bind::Mechanism::ebpf);
  check_policy(scene, bind::Mechanism::seccomp);
}

TEST_CASE("launcher: what is leased says what keeps an instance to it") {
  if (!need_root()) return;
  const LauncherScene scene;
  for (const auto& [enforce, words] : {std::pair{bind::Mechanism::automatic, "kept to it by ebpf"},
                                       std::pair{bind::Mechanism::seccomp, "kept to it by seccomp"},
                                       std::pair{bind::Mechanism::off, "not kept to it"}}) {
    fleet::JobSpec spec = scene.job({"true"});
    spec.function.enforce = enforce;
    Record record;
    run_job(scene, spec, 1, record);
    CHECK(record.last(Phase::done, 0).ended == Ended::ok);
    CHECK(record.last(Phase::leased, 0).detail == words);
  }
  fleet::JobSpec spec = scene.job({"true"});
  spec.function.enforce = bind::Mechanism::preload;
  Record record;
  CHECK(scene.open().start(spec, record).error().kind() == Errc::unsupported);
}

TEST_CASE(
    "launcher: enforced by seccomp, instances come and go, with limits and with a namespace each") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec spec = scene.shell(
      "nc -l -p 80 -e /bin/echo hello & for i in 1 2 3 4 5 6 7 8 9; do nc 127.0.0.1 80 </dev/null "
      "&& exit 0; "
      "sleep 0.1; done; exit 1");
  spec.function.enforce = bind::Mechanism::seccomp;
  spec.function.limits.pids = 20;
  Record record;
  run_job(scene, spec, 60, record);
  for (std::uint64_t i = 0; i < 60; ++i) {
    INFO(record.errors(i));
    CHECK(record.last(Phase::done, i).ended == Ended::ok);
    CHECK(record.output(i) == "hello\n");
  }
}

TEST_CASE("launcher: without the bind agent an instance's calls fail") {
  if (!need_root()) return;
  const LauncherScene scene;
  const TempRunDir out;
  fleet::JobSpec spec = scene.shell(
      "echo > /out/ready; while ! test -e /out/go; do sleep 0.05; done; "
      "nc -l -p 8080 2> /out/said; echo $? > /out/code.next; busybox mv /out/code.next /out/code; "
      "sleep 600");
  spec.function.enforce = bind::Mechanism::seccomp;
  spec.function.mounts = {{out.path(), "/out", true}};
  const pid_t child = ::fork();
  if (child == 0) {
    Record record;
    const fleet::Launcher launcher = scene.open();
    const auto job = must(launcher.start(spec, record));
    must(job->add(instances(1)));
    must(job->finish());
    static_cast<void>(job->wait());
    ::_exit(0);
  }
  wait_for_file(out.file("ready"));
  // The spawner, stopped, does not see that its launcher is gone, and the instance goes on.
  ::kill(spawner_of(scene), SIGSTOP);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::ofstream(out.file("go")) << "\n";
  wait_for_file(out.file("code"));
  CHECK(text_of(out.file("code")) != "0\n");
  CHECK(text_of(out.file("said")).find("Function not implemented") != std::string::npos);
  const fleet::Launcher next = scene.open();
  CHECK(must(next.sweep()).empty());
}

/// Run as anybody; as root by the case below.
TEST_CASE("launcher: instances in a user namespace keep to their endpoints") {
  if (!need_namespaces()) return;
  const LauncherScene scene;
  check_siblings(scene, bind::Mechanism::seccomp);
  check_policy(scene, bind::Mechanism::seccomp);
  if (has_all_users()) return;
  fleet::JobSpec spec = scene.job({"true"});
  Record record;
  run_job(scene, spec, 1, record);
  CHECK(record.last(Phase::done, 0).ended == Ended::ok);
  CHECK(
      record.last(Phase::leased, 0).detail.starts_with("kept to it by seccomp: no cgroup hooks: "));
}

TEST_CASE("launcher: without privileges instances keep to their endpoints") {
  if (!need_root()) return;
  const CommandResult result =
      run_command({"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                   (PARTICLE_TEST_BIN_DIR "/particle-fleet-tests"),
                   "--test-case=" + std::string(kEnforcedInside)});
  INFO(result.out << result.err);
  CHECK((result.exit_code == 0 || result.exit_code == 77));
}

}  // namespace particle::test
