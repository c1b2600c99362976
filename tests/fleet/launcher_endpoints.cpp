// SPDX-License-Identifier: Apache-2.0
// Endpoints from one instance to the next, and to other jobs.
#include <sys/resource.h>

#include "launcher_scene.hpp"
#include "netns/pool_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

}  // namespace

TEST_CASE("launcher: the next instance of an endpoint finds its ports free") {
  if (!need_root()) return;
  const LauncherScene scene(2);
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job = must(launcher.start(scene.job({"true"}), record));
  // The server closes first: its end of the connection waits for a minute, on the server's port.
  const auto server = must(IpAddress::parse("10.50.0.1"));
  for (std::uint64_t round = 0; round < 3; ++round) {
    std::vector<fleet::InstanceSpec> pair = instances(2);
    pair[0].index = 2 * round;
    pair[0].address = server;
    pair[0].command = {"sh", "-c", "echo hello | nc -l -p 8080"};
    pair[1].index = 2 * round + 1;
    pair[1].command = {"sh", "-c",
                       "for i in 1 2 3 4 5 6 7 8 9; do nc 10.50.0.1 8080 </dev/null && exit 0; "
                       "sleep 0.1; done; exit 1"};
    must(job->add(pair));
    REQUIRE(record.wait_for(Phase::done, 2 * (round + 1)));
    INFO("round " << round << ": " << record.errors(2 * round));
    CHECK(record.last(Phase::done, 2 * round).ended == Ended::ok);
    CHECK(record.output(2 * round + 1) == "hello\n");
  }
  must(job->finish());
  must(job->wait());
}

TEST_CASE("launcher: endpoints that a job does not use are for other jobs") {
  if (!need_root()) return;
  const LauncherScene scene(4);
  Record first, second;
  const fleet::Launcher launcher = scene.open();
  const auto idle = must(launcher.start(scene.job({"true"}, "idle"), first));
  must(idle->add(instances(4)));
  REQUIRE(first.wait_for(Phase::done, 4));
  // "idle" goes on, without instances.
  const auto busy = must(launcher.start(scene.job({"true"}, "busy"), second));
  must(busy->add(instances(4)));
  CHECK(second.wait_for(Phase::done, 4, 5s));
  must(busy->finish());
  must(busy->wait());
  must(idle->finish());
  must(idle->wait());
}

TEST_CASE("launcher: instances for which there is no descriptor wait for one") {
  if (!need_root()) return;
  const LauncherScene scene(64);
  Record record;
  rlimit before = {};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit few = {128, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  run_job(scene, scene.job({"true"}), 60, record);
  ::setrlimit(RLIMIT_NOFILE, &before);
  for (std::uint64_t i = 0; i < 60; ++i) {
    const fleet::Event done = record.last(Phase::done, i);
    INFO(done.detail);
    CHECK(done.ended == Ended::ok);
  }
}

TEST_CASE("launcher: a pool of a namespace per container works as well") {
  if (!need_root()) return;
  const LauncherScene scene;
  PoolSpec strict = pool_spec("strict", "umbrella", 43, {"10.52.0.0/24"});
  strict.isolation = Isolation::container;
  must(scene.node().create_pool(strict));
  fleet::JobSpec spec = scene.shell("echo $PARTICLE_IP; ip -4 addr show eth0");
  spec.pool = "strict";
  Record record;
  run_job(scene, spec, 3, record);
  for (std::uint64_t i = 0; i < 3; ++i) {
    INFO(record.errors(i) << record.last(Phase::done, i).detail);
    const std::string address = record.output(i).substr(0, record.output(i).find('\n'));
    CHECK(record.output(i).find("inet " + address + "/") != std::string::npos);
  }
}

}  // namespace particle::test
