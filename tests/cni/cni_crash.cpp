// SPDX-License-Identifier: Apache-2.0
// kill -9 of ADD and DEL after every step, then DEL, or GC: nothing is left.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "plugin.hpp"
#include "plugin_driver.hpp"

namespace particle::test {
namespace {

/// The plugin in a child process, killed after its `step`th step. Returns whether it came that far.
bool killed_after(const CniScene& scene, const CniEnvironment& variables, const Json& conf,
                  int step) {
  cni::Environment environment;
  const auto value = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
  environment.command = value("CNI_COMMAND");
  environment.container = value("CNI_CONTAINERID");
  environment.netns = value("CNI_NETNS");
  environment.ifname = value("CNI_IFNAME");
  const std::string input = conf.dump();
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (setns(scene.node_netns().fd(), CLONE_NEWNET) != 0) _exit(99);
    int steps = 0;
    const cni::Reply reply = cni::call(environment, input, [&](std::string_view) {
      if (++steps == step) kill(getpid(), SIGKILL);
    });
    _exit(reply.exit_code == 0 ? 0 : 98);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFSIGNALED(status)) return true;
  CHECK(WEXITSTATUS(status) == 0);
  return false;
}

Json conf_of(const CniScene& scene, const std::string& attach) {
  Json conf = scene.conf();
  conf["attach"] = attach;
  return conf;
}

void collect(CniScene& scene, Json conf, const std::vector<std::string>& ids) {
  Json list = Json::array();
  for (const auto& id : ids) list.push_back({{"containerID", id}, {"ifname", "eth0"}});
  conf["cni.dev/valid-attachments"] = list;
  const CniAnswer answer = scene.call("GC", "", conf);
  CAPTURE(answer.out);
  CHECK(answer.exit_code == 0);
}

/// Kills `verb` after each of its steps, in a fresh scene each; `before` sets it and `after` judges.
void at_every_step(const std::string& attach, const std::string& verb,
                   const std::function<void(CniScene&, const Json&)>& before,
                   const std::function<void(CniScene&, const Json&)>& after) {
  constexpr int kMost = 60;
  int step = 1;
  for (; step < kMost; ++step) {
    CAPTURE(attach);
    CAPTURE(verb);
    CAPTURE(step);
    CniScene scene;
    const Json conf = conf_of(scene, attach);
    scene.container("c1");
    before(scene, conf);
    const bool killed = killed_after(scene, scene.environment(verb, "c1"), conf, step);
    after(scene, conf);
    CHECK(scene.leftovers() == std::vector<std::string>{});
    if (!killed) break;
  }
  CHECK(step > 3);
  CHECK(step < kMost);
}

void nothing(CniScene& /*scene*/, const Json& /*conf*/) {}

void check_that_the_interface_is_gone(CniScene& scene) {
  const NetNs one = must(NetNs::open_path(scene.container("c1")));
  CHECK(run_command({"ip", "link", "show", "eth0"}, &one).exit_code != 0);
}

}  // namespace

TEST_CASE("cni crash: a killed first ADD leaves nothing that its DEL does not remove") {
  if (!need_namespaces()) return;
  for (const char* attach : {"runtime", "veth"}) {
    at_every_step(attach, "ADD", &nothing, [](CniScene& scene, const Json& conf) {
      scene.del("c1", conf);
      check_that_the_interface_is_gone(scene);
    });
  }
}

TEST_CASE("cni crash: a killed ADD is found by GC, and spares the others") {
  if (!need_namespaces()) return;
  for (const char* attach : {"runtime", "veth"}) {
    at_every_step(
        attach, "ADD", [](CniScene& scene, const Json& conf) { scene.add("c2", conf); },
        [](CniScene& scene, const Json& conf) {
          collect(scene, conf, {"c2"});
          CHECK(must(scene.node().count_leases("acme")) == 1);
          check_that_the_interface_is_gone(scene);
          scene.del("c2", conf);
        });
  }
}

TEST_CASE("cni crash: a killed ADD can be repeated at once") {
  if (!need_namespaces()) return;
  at_every_step("runtime", "ADD", &nothing, [](CniScene& scene, const Json& conf) {
    const CniAnswer again = scene.call("ADD", "c1", conf);
    // Killed after its last step it had attached: the runtime must DEL first.
    CHECK((again.code() == 0 || again.code() == 103));
    CHECK(must(scene.node().count_leases("acme")) == 1);
    scene.del("c1", conf);
  });
}

TEST_CASE("cni crash: a killed DEL is ended by the next DEL") {
  if (!need_namespaces()) return;
  for (const char* attach : {"runtime", "veth"}) {
    at_every_step(
        attach, "DEL", [](CniScene& scene, const Json& conf) { scene.add("c1", conf); },
        [](CniScene& scene, const Json& conf) {
          scene.del("c1", conf);
          check_that_the_interface_is_gone(scene);
        });
  }
}

TEST_CASE("cni crash: a killed DEL keeps no other container from being attached") {
  if (!need_namespaces()) return;
  at_every_step(
      "runtime", "DEL", [](CniScene& scene, const Json& conf) { scene.add("c1", conf); },
      [](CniScene& scene, const Json& conf) {
        scene.add("c2", conf);
        scene.del("c1", conf);
        CHECK(must(scene.node().inspect_pool("acme")).health == PoolHealth::ready);
        scene.del("c2", conf);
      });
}

TEST_CASE("cni crash: a killed DEL is ended by GC") {
  if (!need_namespaces()) return;
  at_every_step(
      "runtime", "DEL", [](CniScene& scene, const Json& conf) { scene.add("c1", conf); },
      [](CniScene& scene, const Json& conf) { collect(scene, conf, {}); });
}

}  // namespace particle::test
