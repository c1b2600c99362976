// SPDX-License-Identifier: Apache-2.0
// What instances can reach, and what they cannot.
#include <algorithm>
#include <fstream>

#include <sys/resource.h>
#include <sys/stat.h>

#include "launcher_scene.hpp"
#include "netns/pool_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

/// Standard output of one instance that runs a line of shell, which must succeed.
std::string said_by(const LauncherScene& scene, const std::string& line) {
  Record record;
  run_job(scene, scene.shell(line), 1, record);
  INFO(line << ": " << record.errors(0) << record.last(Phase::done, 0).detail);
  CHECK(record.last(Phase::done, 0).ended == Ended::ok);
  return record.output(0);
}

}  // namespace

TEST_CASE("launcher: an instance sees its own processes only") {
  if (!need_root()) return;
  const LauncherScene scene;
  const std::string processes = said_by(scene, "echo $$; set -- /proc/[0-9]*; echo $#");
  // Its init and the shell.
  CHECK(processes == "2\n2\n");
}

TEST_CASE("launcher: the image is as it was, whatever an instance writes") {
  if (!need_root()) return;
  const LauncherScene scene;
  const std::string said =
      said_by(scene,
              "echo mine > /srv/new && cat /srv/new && rm /etc/passwd 2>/dev/null || busybox rm "
              "/etc/passwd && ls /etc");
  CHECK(said.starts_with("mine\n"));
  CHECK(said.find("passwd") == std::string::npos);
  struct stat status = {};
  CHECK(::stat((scene.image() + "/srv/new").c_str(), &status) != 0);
  CHECK(::stat((scene.image() + "/etc/passwd").c_str(), &status) == 0);
}

TEST_CASE("launcher: an instance has what containers have, and no more rights") {
  if (!need_root()) return;
  const LauncherScene scene;
  CHECK(said_by(scene, "mount -t tmpfs none /srv 2>&1 || echo refused").find("refused") !=
        std::string::npos);
  CHECK(said_by(scene, "ip link set eth0 down 2>&1 || echo refused").find("refused") !=
        std::string::npos);
  CHECK(said_by(scene, "(echo 1 > /proc/sys/net/ipv4/ip_forward) 2>&1 || echo refused")
            .find("refused") != std::string::npos);
  CHECK(said_by(scene, "busybox unshare -m true 2>&1 || echo refused").find("refused") !=
        std::string::npos);
  CHECK(said_by(scene, "cat /proc/timer_list /proc/keys | busybox wc -c") == "0\n");
  const std::string status =
      said_by(scene, "grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status");
  // Docker's default set without NET_RAW.
  CHECK(status.find("CapEff:\t00000000a80405fb") != std::string::npos);
  CHECK(status.find("CapBnd:\t00000000a80405fb") != std::string::npos);
  CHECK(status.find("NoNewPrivs:\t1") != std::string::npos);
  CHECK(status.find("Seccomp:\t2") != std::string::npos);
}

TEST_CASE("launcher: an instance has the usual limit of descriptors whatever the launcher has") {
  if (!need_root()) return;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit high{std::min<rlim_t>(before.rlim_max, 4096), before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &high) == 0);
  const LauncherScene scene;
  CHECK(said_by(scene, "ulimit -n") == "1024\n");
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE("launcher: devices, shared memory and terminals are there") {
  if (!need_root()) return;
  const LauncherScene scene;
  CHECK(said_by(scene,
                "echo x > /dev/null && busybox head -c 3 /dev/zero | busybox wc -c && "
                "echo shared > /dev/shm/x && cat /dev/shm/x && ls /dev/pts && "
                "busybox stat -c %t /dev/urandom") == "3\nshared\nptmx\n1\n");
}

TEST_CASE("launcher: instances of another tenant are out of reach") {
  if (!need_root()) return;
  const LauncherScene scene;
  PoolSpec other = pool_spec("other", "umbrella", 42, {"10.51.0.0/24"});
  must(scene.node().create_pool(other));
  Record theirs;
  const fleet::Launcher launcher = scene.open();
  fleet::JobSpec spec = scene.shell("echo ready; echo secret | nc -l -p 8080", "theirs");
  spec.pool = "other";
  const auto server = must(launcher.start(spec, theirs));
  must(server->add(instances(1)));
  REQUIRE(theirs.wait_for_output(0, "ready"));
  const std::string address = theirs.last(Phase::started, 0).endpoint->v4->to_string();
  CHECK(said_by(scene, "nc -w 1 " + address + " 8080 </dev/null 2>&1 || echo unreachable")
            .find("secret") == std::string::npos);
  server->kill();
  must(server->wait());
}

TEST_CASE("launcher: mounts are shown where they were asked for") {
  if (!need_root()) return;
  const LauncherScene scene;
  TempRunDir shown;
  std::ofstream(shown.file("word")) << "from outside\n";
  fleet::JobSpec job = scene.shell(
      "cat /data/word /deep/er/word /dev/shm/a/b/word /dev/shm/word; "
      "(echo x > /deep/er/word) 2>/dev/null && echo wrong; echo back > /data/answer");
  job.function.mounts = {{shown.path(), "/data", true},
                         {shown.path(), "/deep/er", false},
                         {shown.path(), "/dev/shm/a/b", false},
                         {shown.file("word"), "/dev/shm/word", false}};
  Record record;
  run_job(scene, job, 1, record);
  INFO(record.errors(0) << record.last(Phase::done, 0).detail);
  CHECK(record.output(0) == "from outside\nfrom outside\nfrom outside\nfrom outside\n");
  std::string answer;
  std::ifstream(shown.file("answer")) >> answer;
  CHECK(answer == "back");
}

TEST_CASE("launcher: the node's own root is an image without the node's state") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job =
      scene.job({"/bin/sh", "-c", "ls /run /tmp; touch /usr/new && ls -d /usr/new"});
  job.function.image.clear();
  Record record;
  run_job(scene, job, 1, record);
  INFO(record.errors(0) << record.last(Phase::done, 0).detail);
  CHECK(record.output(0) == "/run:\n\n/tmp:\n/usr/new\n");
  struct stat status = {};
  CHECK(::stat("/usr/new", &status) != 0);
}

}  // namespace particle::test
