// SPDX-License-Identifier: Apache-2.0
// Bad input, and everybody being killed.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

bool gone(pid_t pid) {
  for (int i = 0; i < 200; ++i) {
    // What nobody has waited for yet has no command line any more.
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    if (file.peek() == std::ifstream::traits_type::eof()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

}  // namespace

TEST_CASE("launcher: a job that cannot start says why and leaves nothing") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  fleet::JobSpec no_pool = scene.job({"true"});
  no_pool.pool = "none";
  CHECK(launcher.start(no_pool, record).error().kind() == Errc::not_found);
  fleet::JobSpec no_image = scene.job({"true"});
  no_image.function.image = "/no/such/image";
  CHECK(launcher.start(no_image, record).error().message() ==
        "open image /no/such/image: No such file or directory");
  fleet::JobSpec no_mount = scene.job({"true"});
  no_mount.function.mounts = {{"/no/such/source", "/data", false}};
  CHECK(launcher.start(no_mount, record).error().message() ==
        "open /no/such/source: No such file or directory");
  const auto job = must(launcher.start(scene.job({"true"}), record));
  CHECK(launcher.start(scene.job({"true"}), record).error().kind() == Errc::already_exists);
  must(job->add(instances(1)));
  CHECK(job->add(instances(1)).error().kind() == Errc::already_exists);
  must(job->finish());
  must(job->wait());
  CHECK(record.events(Phase::done).size() == 1);
}

TEST_CASE("launcher: a directory that the image lacks refuses its instances alone") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.job({"true"});
  job.function.directory = "/not/there";
  Record record;
  run_job(scene, job, 2, record);
  CHECK(record.last(Phase::done, 1).ended == Ended::refused);
  CHECK(record.last(Phase::done, 1).detail == "enter /not/there: No such file or directory");
}

TEST_CASE("launcher: a job with a fork bomb in it is dead within a second of being killed") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  fleet::JobSpec spec = scene.shell("echo ready; f() { f | f & }; f; sleep 60");
  spec.function.limits.pids = 200;
  const auto job = must(launcher.start(spec, record));
  must(job->add(instances(4)));
  for (std::uint64_t i = 0; i < 4; ++i) REQUIRE(record.wait_for_output(i, "ready"));
  std::this_thread::sleep_for(200ms);
  const auto start = std::chrono::steady_clock::now();
  job->kill();
  must(job->wait());
  CHECK(std::chrono::steady_clock::now() - start < 1s);
  for (std::uint64_t i = 0; i < 4; ++i) {
    CHECK(record.last(Phase::done, i).ended == Ended::killed);
  }
}

TEST_CASE("launcher: killing a job ends what runs and what waits") {
  if (!need_root()) return;
  const LauncherScene scene(2);
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job = must(launcher.start(scene.job({"sleep", "60"}), record));
  must(job->add(instances(5)));
  REQUIRE(record.wait_for(Phase::started, 2));
  job->kill();
  must(job->wait());
  CHECK(record.events(Phase::done).size() == 5);
  for (const fleet::Event& event : record.events(Phase::done)) CHECK(event.ended == Ended::killed);
}

TEST_CASE("launcher: a job that goes out of scope takes its instances along") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  {
    const auto job = must(launcher.start(scene.job({"sleep", "6021"}), record));
    must(job->add(instances(3)));
    REQUIRE(record.wait_for(Phase::started, 3));
    CHECK(processes_of("6021") == 3);
  }
  CHECK(processes_of("6021") == 0);
}

TEST_CASE("launcher: instances whose spawner is killed are lost and end") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job = must(launcher.start(scene.job({"sleep", "6022"}), record));
  must(job->add(instances(3)));
  REQUIRE(record.wait_for(Phase::started, 3));
  ::kill(spawner_of(scene), SIGKILL);
  CHECK(!job->wait());
  CHECK(record.lost());
  for (std::uint64_t i = 0; i < 3; ++i) CHECK(record.last(Phase::done, i).ended == Ended::lost);
  for (int i = 0; i < 100 && processes_of("6022") > 0; ++i) std::this_thread::sleep_for(10ms);
  CHECK(processes_of("6022") == 0);
}

TEST_CASE("launcher: what a killed launcher leaves is found and ended by the next") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec spec = scene.job({"sleep", "6023"});
  spec.function.limits.pids = 20;
  const pid_t child = ::fork();
  if (child == 0) {
    Record record;
    const fleet::Launcher launcher = scene.open();
    const auto job = must(launcher.start(spec, record));
    must(job->add(instances(3)));
    must(job->finish());
    static_cast<void>(job->wait());
    ::_exit(0);
  }
  for (int i = 0; i < 500 && processes_of("6023") < 3; ++i) std::this_thread::sleep_for(10ms);
  REQUIRE(processes_of("6023") == 3);
  const pid_t spawner = spawner_of(scene);
  // Stopped, it does not see that its launcher is gone.
  ::kill(spawner, SIGSTOP);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(processes_of("6023") == 3);
  const fleet::Launcher next = scene.open();
  CHECK(gone(spawner));
  CHECK(processes_of("6023") == 0);
  CHECK(must(scene.node().leases()).empty());
  CHECK(must(next.sweep()).empty());
  Record record;
  run_job(scene, scene.job({"true"}), 1, record);
  CHECK(record.last(Phase::done, 0).ended == Ended::ok);
}

TEST_CASE("launcher: instances end with a launcher that is killed") {
  if (!need_root()) return;
  const LauncherScene scene;
  const pid_t child = ::fork();
  if (child == 0) {
    Record record;
    const fleet::Launcher launcher = scene.open();
    const auto job = must(launcher.start(scene.job({"sleep", "6024"}), record));
    must(job->add(instances(3)));
    must(job->finish());
    static_cast<void>(job->wait());
    ::_exit(0);
  }
  for (int i = 0; i < 500 && processes_of("6024") < 3; ++i) std::this_thread::sleep_for(10ms);
  REQUIRE(processes_of("6024") == 3);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (int i = 0; i < 200 && processes_of("6024") > 0; ++i) std::this_thread::sleep_for(10ms);
  CHECK(processes_of("6024") == 0);
  const fleet::Launcher next = scene.open();
  CHECK(must(next.sweep()).empty());
}

}  // namespace particle::test
