// SPDX-License-Identifier: Apache-2.0
// Instances in a user namespace, where pools were made inside one.
#include "launcher_scene.hpp"

namespace particle::test {
namespace {

using fleet::Ended;
using fleet::Phase;

constexpr const char* kInside = "launcher: instances in a user namespace";

}  // namespace

/// Run as anybody; as root by the case below.
TEST_CASE("launcher: instances in a user namespace") {
  if (!need_namespaces()) return;
  const LauncherScene scene;
  fleet::JobSpec job = scene.shell(
      "echo $PARTICLE_IP; echo x > /srv/new; id -u; set -- /proc/[0-9]*; echo $#; "
      "mount -t tmpfs none /srv 2>/dev/null || echo refused; echo x > /dev/null && echo null");
  job.function.enforce = bind::Mechanism::off;
  Record record;
  run_job(scene, job, 4, record);
  for (std::uint64_t i = 0; i < 4; ++i) {
    const fleet::Event done = record.last(Phase::done, i);
    INFO(record.errors(i) << done.detail);
    REQUIRE(done.ended == Ended::ok);
    CHECK(record.output(i) == done.endpoint->v4->to_string() + "\n0\n2\nrefused\nnull\n");
  }
}

TEST_CASE("launcher: without privileges it works in a user namespace") {
  if (!need_root()) return;
  const CommandResult result = run_command(
      {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
       PARTICLE_TEST_BIN_DIR "/particle-fleet-tests", "--test-case=" + std::string(kInside)});
  INFO(result.out << result.err);
  CHECK((result.exit_code == 0 || result.exit_code == 77));
}

}  // namespace particle::test
