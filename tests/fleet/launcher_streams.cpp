// SPDX-License-Identifier: Apache-2.0
// Standard streams and signals.
#include "launcher_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

}  // namespace

TEST_CASE("launcher: input goes in and both outputs come out") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job = must(launcher.start(scene.shell("cat; echo done >&2"), record));
  std::vector<fleet::InstanceSpec> all = instances(3);
  all[1].input = "short\n";
  all[2].input = std::string(1 << 20, 'x');
  must(job->add(all));
  must(job->finish());
  must(job->wait());
  CHECK(record.output(0).empty());
  CHECK(record.output(1) == "short\n");
  CHECK(record.output(2) == all[2].input);
  for (std::uint64_t i = 0; i < 3; ++i) {
    CHECK(record.errors(i) == "done\n");
    CHECK(record.last(Phase::done, i).ended == Ended::ok);
  }
}

TEST_CASE("launcher: input that is kept open takes more until it is closed") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job =
      must(launcher.start(scene.shell("while read line; do echo got $line; done"), record));
  std::vector<fleet::InstanceSpec> all = instances(2);
  all[0].keep_input = true;
  all[0].input = "first\n";
  must(job->add(all));
  REQUIRE(record.wait_for_output(0, "got first"));
  must(job->send(0, "second\n"));
  REQUIRE(record.wait_for_output(0, "got second"));
  must(job->close_input(0));
  CHECK(job->send(0, "third\n").error().kind() == Errc::not_found);
  CHECK(job->send(7, "x").error().kind() == Errc::not_found);
  must(job->finish());
  must(job->wait());
  CHECK(record.last(Phase::done, 0).ended == Ended::ok);
  CHECK(record.output(0) == "got first\ngot second\n");
}

TEST_CASE("launcher: signals reach the command and SIGKILL all of its instance") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  const fleet::Launcher launcher = scene.open();
  const auto job = must(launcher.start(
      scene.shell("trap 'echo usr1; exit 3' USR1; echo ready; while :; do sleep 0.05; done"),
      record));
  must(job->add(instances(2)));
  REQUIRE(record.wait_for_output(0, "ready"));
  REQUIRE(record.wait_for_output(1, "ready"));
  must(job->signal(0, SIGUSR1));
  must(job->signal(1, SIGKILL));
  must(job->finish());
  must(job->wait());
  CHECK(record.output(0) == "ready\nusr1\n");
  CHECK(record.last(Phase::done, 0).ended == Ended::failed);
  CHECK(record.last(Phase::done, 0).status == 3);
  CHECK(record.last(Phase::done, 1).ended == Ended::killed);
}

TEST_CASE("launcher: an instance's init reaps orphans") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  run_job(scene, scene.shell("(sleep 0.05 &); (sleep 0.05 &); sleep 0.4; ps -o stat | grep -c Z"),
          1, record);
  CHECK(record.output(0) == "0\n");
}

TEST_CASE("launcher: output is not lost however much there is") {
  if (!need_root()) return;
  const LauncherScene scene;
  Record record;
  run_job(scene, scene.shell("dd if=/dev/zero bs=1024 count=4096 2>/dev/null"), 4, record);
  for (std::uint64_t i = 0; i < 4; ++i) CHECK(record.output(i).size() == 4096U * 1024U);
}

}  // namespace particle::test
