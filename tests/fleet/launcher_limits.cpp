// SPDX-License-Identifier: Apache-2.0
// Limits, time-outs, attempts and queues.
#include "launcher_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

}  // namespace

TEST_CASE("launcher: an instance over its memory limit is ended and said so") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.shell("busybox tail /dev/zero");
  job.function.limits.memory = 16U << 20U;
  Record record;
  run_job(scene, job, 1, record);
  const fleet::Event done = record.last(Phase::done, 0);
  INFO(done.detail);
  CHECK(done.ended == Ended::out_of_memory);
}

TEST_CASE("launcher: an instance cannot have more processes than its limit") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.shell("for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; echo all; wait");
  job.function.limits.pids = 5;
  Record record;
  run_job(scene, job, 1, record);
  CHECK(record.last(Phase::done, 0).ended == Ended::failed);
  CHECK(record.errors(0).find("fork") != std::string::npos);
}

TEST_CASE("launcher: an instance gets no more of a CPU than its limit") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.shell(
      "busybox timeout 1 sh -c 'while :; do :; done'; cat /proc/$$/stat | busybox cut -d' ' "
      "-f16,17");
  job.function.limits.cpus = 0.2;
  Record record;
  run_job(scene, job, 1, record);
  INFO(record.output(0) << record.errors(0));
  unsigned long user = 0, system = 0;
  REQUIRE(std::sscanf(record.output(0).c_str(), "%lu %lu", &user, &system) == 2);
  // In ticks of 10 ms: of one second a fifth, with room for one period.
  CHECK(user + system <= 35);
}

TEST_CASE("launcher: a limit of wall time ends what goes on after it") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.job({"sleep", "60"});
  job.function.limits.wall_time = 300ms;
  Record record;
  const auto start = std::chrono::steady_clock::now();
  run_job(scene, job, 2, record);
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  CHECK(record.last(Phase::done, 0).ended == Ended::timed_out);
  CHECK(record.last(Phase::done, 1).ended == Ended::timed_out);
}

TEST_CASE("launcher: what fails is started again as often as asked for") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.shell("echo attempt $PARTICLE_ATTEMPT; test $PARTICLE_ATTEMPT = 2");
  job.function.retries = 3;
  Record record;
  run_job(scene, job, 1, record);
  CHECK(record.output(0) == "attempt 0\nattempt 1\nattempt 2\n");
  const std::vector<fleet::Event> done = record.events(Phase::done);
  REQUIRE(done.size() == 3);
  CHECK(done[0].ended == Ended::failed);
  CHECK(done[2].ended == Ended::ok);
  CHECK(done[2].attempt == 2);
}

TEST_CASE("launcher: more instances than endpoints wait their turn and are told so") {
  if (!need_root()) return;
  const LauncherScene scene(4);
  Record record;
  run_job(scene, scene.shell("echo $PARTICLE_IP; sleep 0.2"), 12, record);
  std::set<std::string> addresses;
  for (std::uint64_t i = 0; i < 12; ++i) {
    CHECK(record.last(Phase::done, i).ended == Ended::ok);
    addresses.insert(record.output(i));
  }
  CHECK(addresses.size() <= 4);
  std::size_t waited = 0;
  for (const fleet::Event& event : record.events(Phase::queued)) {
    waited += event.detail.find("waits for an endpoint") != std::string::npos ? 1U : 0U;
  }
  CHECK(waited == 8);
}

TEST_CASE("launcher: a job keeps to its concurrency") {
  if (!need_root()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.job({"sleep", "0.1"});
  job.concurrency = 2;
  Record record;
  run_job(scene, job, 6, record);
  int alive = 0, most = 0;
  for (const fleet::Event& event : record.events()) {
    alive += event.phase == Phase::leased ? 1 : event.phase == Phase::done ? -1 : 0;
    most = std::max(most, alive);
  }
  CHECK(most == 2);
}

TEST_CASE("launcher: an instance gets the endpoint that it names") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job = must(launcher.start(scene.shell("echo $PARTICLE_IP; sleep 0.1"), record));
  std::vector<fleet::InstanceSpec> all = instances(3);
  all[0].address = must(IpAddress::parse("10.50.0.7"));
  all[1].address = must(IpAddress::parse("10.50.0.7"));
  all[2].address = must(IpAddress::parse("10.99.0.1"));
  must(job->add(all));
  must(job->finish());
  must(job->wait());
  CHECK(record.output(0) == "10.50.0.7\n");
  CHECK(record.output(1) == "10.50.0.7\n");
  CHECK(record.last(Phase::done, 2).ended == Ended::refused);
}

}  // namespace particle::test
