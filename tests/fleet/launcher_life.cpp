// SPDX-License-Identifier: Apache-2.0
// What instances are started with, and how they end.
#include <sstream>

#include "launcher_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

}  // namespace

TEST_CASE("launcher: instances have endpoints of their own and are told them") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  run_job(scene, scene.shell("echo $PARTICLE_IP; hostname; cat /etc/hosts"), 10, record);
  std::set<std::string> addresses;
  for (std::uint64_t i = 0; i < 10; ++i) {
    INFO(record.errors(i));
    const fleet::Event done = record.last(Phase::done, i);
    INFO(done.detail);
    CHECK(done.ended == Ended::ok);
    REQUIRE(done.endpoint);
    std::istringstream lines(record.output(i));
    std::string address, host;
    std::getline(lines, address);
    std::getline(lines, host);
    CHECK(address == done.endpoint->v4->to_string());
    CHECK(host == "job-" + std::to_string(i));
    CHECK(record.output(i).find(address + "\t" + host) != std::string::npos);
    addresses.insert(address);
  }
  CHECK(addresses.size() == 10);
}

TEST_CASE("launcher: an instance passes through its phases in order") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  run_job(scene, scene.job({"true"}), 3, record);
  for (std::uint64_t i = 0; i < 3; ++i) {
    std::vector<Phase> phases;
    std::chrono::system_clock::time_point before{};
    for (const fleet::Event& event : record.events()) {
      if (event.instance != i) continue;
      phases.push_back(event.phase);
      CHECK(event.at >= before);
      CHECK(event.job == "job");
      before = event.at;
    }
    CHECK(phases == std::vector<Phase>{Phase::queued, Phase::leased, Phase::created, Phase::started,
                                       Phase::done});
  }
}

TEST_CASE("launcher: exit statuses and signals are told apart") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job = must(launcher.start(scene.job({"true"}), record));
  std::vector<fleet::InstanceSpec> all = instances(4);
  all[1].command = {"sh", "-c", "exit 7"};
  all[2].command = {"sh", "-c", "kill -9 $$"};
  all[3].command = {"no-such-program"};
  must(job->add(all));
  must(job->finish());
  must(job->wait());
  CHECK(record.last(Phase::done, 0).ended == Ended::ok);
  CHECK(record.last(Phase::done, 1).ended == Ended::failed);
  CHECK(record.last(Phase::done, 1).status == 7);
  CHECK(record.last(Phase::done, 2).ended == Ended::signalled);
  CHECK(record.last(Phase::done, 2).status == SIGKILL);
  const fleet::Event refused = record.last(Phase::done, 3);
  CHECK(refused.ended == Ended::refused);
  CHECK(refused.detail == "exec no-such-program: No such file or directory");
}

}  // namespace particle::test
