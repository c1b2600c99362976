// SPDX-License-Identifier: Apache-2.0
// runc and containerd behind the launcher.
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

#include <cstdlib>

#include "launcher_scene.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

using fleet::Backend;
using fleet::Ended;
using fleet::Phase;

/// containerd, with everything in one directory; it ends with the object.
class PrivateContainerd {
 public:
  PrivateContainerd() {
    std::ofstream(dir_.file("config.toml"))
        << "version = 2\nroot = \"" << dir_.file("root") << "\"\nstate = \"" << dir_.file("state")
        << "\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = \""
        << socket() << "\"\n";
    daemon_.emplace(std::vector<std::string>{"env", "PATH=" + component_path(),
                                             component("containerd"), "--config",
                                             dir_.file("config.toml")});
    if (!daemon_->wait_for_text("successfully booted")) {
      throw std::runtime_error("containerd does not start: " + daemon_->finish(100ms).err);
    }
  }
  [[nodiscard]] std::string socket() const { return dir_.file("containerd.sock"); }

 private:
  TempRunDir dir_;
  std::optional<Command> daemon_;
};

void check_runtime(const fleet::LauncherOptions& options) {
  const LauncherScene scene;
  const fleet::Launcher launcher = scene.open(options);
  fleet::JobSpec spec = scene.shell("echo $PARTICLE_IP; hostname; read word; echo $word; exit 3");
  Record record;
  CHECK(launcher.start(spec, record).error().kind() == Errc::unsupported);
  spec.function.enforce = bind::Mechanism::off;
  const auto job = must(launcher.start(spec, record));
  std::vector<fleet::InstanceSpec> all = instances(4);
  all[0].input = "hello\n";
  all[1].command = {"no-such-program"};
  all[2].command = {"sleep", "600"};
  all[3].command = {"sh", "-c", "kill -9 $$"};
  must(job->add(all));
  const bool ended = record.wait_for(Phase::done, 3);
  std::string said;
  for (const fleet::Event& event : record.events()) {
    said += std::to_string(event.instance) + " " + std::string(to_string(event.phase)) + " " +
            event.detail + record.errors(event.instance) + "\n";
  }
  INFO(said);
  REQUIRE(ended);
  REQUIRE(record.wait_for(Phase::started, 3));
  const fleet::Event done = record.last(Phase::done, 0);
  INFO(done.detail << record.errors(0));
  CHECK(done.ended == Ended::failed);
  CHECK(done.status == 3);
  CHECK(record.output(0) == done.endpoint->v4->to_string() + "\njob-0\nhello\n");
  job->kill();
  must(job->wait());
  CHECK(record.last(Phase::done, 1).ended == Ended::refused);
  CHECK(record.last(Phase::done, 2).ended == Ended::killed);
}

}  // namespace

TEST_CASE("launcher: runc starts instances when asked to") {
  if (!need_root() || !need_components({"runc"})) return;
  fleet::LauncherOptions options;
  options.backend = Backend::runc;
  options.program = component("runc");
  check_runtime(options);
}

TEST_CASE("launcher: containerd starts instances when asked to") {
  if (!need_root() || !need_components({"runc", "containerd", "ctr"})) return;
  const PrivateContainerd containerd;
  fleet::LauncherOptions options;
  options.backend = Backend::containerd;
  options.program = component("ctr");
  options.containerd = containerd.socket();
  check_runtime(options);
}

}  // namespace particle::test
