// SPDX-License-Identifier: Apache-2.0
// `particle run` as a parent: statuses, signals, what it leaves behind, and errors before the command.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "cli_program.hpp"
#include "e2e/bind_scene.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// Control groups of this scene's node.
std::vector<std::string> groups_of(const BindScene& scene) {
  std::vector<std::string> found;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string device, point, type, rest;
       mounts >> device >> point >> type && std::getline(mounts, rest);) {
    if (type != "cgroup2") continue;
    const std::string enforce = scene.run_dir() + "/enforce";
    std::error_code error;
    for (const auto& node : fs::directory_iterator(enforce, error)) {
      for (const auto& group : fs::directory_iterator(point, error)) {
        if (contains(group.path().filename(), "particle-" + node.path().filename().string())) {
          found.push_back(group.path());
        }
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("run: the command's status is what run returns, and nothing is left") {
  if (!need_root()) return;
  const BindScene scene;
  for (const std::string mechanism : {"ebpf", "seccomp", "preload", "off", "auto"}) {
    CAPTURE(mechanism);
    CHECK(scene.run({"--enforce", mechanism}, {"sh", "-c", "exit 7"}).exit_code == 7);
    CHECK(scene.run({"--enforce", mechanism}, {"sh", "-c", "kill -9 $$"}).exit_code == 137);
    CHECK(scene.run({"--enforce", mechanism}, {"/nonexistent"}).exit_code == 127);
    CHECK(scene.run({"--enforce", mechanism}, {"/etc/passwd"}).exit_code == 126);
  }
  CHECK(scene.leases() == "no leases\n");
  CHECK(fs::is_empty(scene.run_dir() + "/enforce"));
}

TEST_CASE("run: the command knows its endpoint from the environment") {
  if (!need_root()) return;
  const BindScene scene;
  const CommandResult result =
      scene.run({"--ip", "10.1.0.9", "--holder", "c42"},
                {"sh", "-c", "echo $PARTICLE_POOL $PARTICLE_HOLDER $PARTICLE_IP $PARTICLE_IP6"});
  CHECK(result.out == "web c42 10.1.0.9 fd00:1::9\n");
}

TEST_CASE("run: the dashes before the command may be left out") {
  if (!need_root()) return;
  const BindScene scene;
  const CommandResult result =
      scene.particle({"run", "--pool", "web", "--ip", "10.1.0.9", "printenv", "PARTICLE_IP"});
  CHECK(result.out == "10.1.0.9\n");
}

TEST_CASE("run: a signal reaches the command, and its end is run's") {
  if (!need_root()) return;
  const BindScene scene;
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    CAPTURE(mechanism);
    const auto command =
        scene.start({"--enforce", mechanism},
                    {"sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"});
    REQUIRE(command->wait_for_text("ready"));
    command->signal(SIGTERM);
    CHECK(command->finish().exit_code == 3);
  }
  CHECK(scene.leases() == "no leases\n");
}

TEST_CASE("run: what the command leaves running ends with it") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string file = scene.run_dir() + "/pid";
  for (const std::string mechanism : {"ebpf", "seccomp", "preload"}) {
    CAPTURE(mechanism);
    const CommandResult result =
        scene.run({"--enforce", mechanism},
                  {"sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $! >" + file});
    CHECK(result.exit_code == 0);
    std::string pid;
    std::ifstream(file) >> pid;
    CHECK_FALSE(fs::exists("/proc/" + pid));
  }
}

TEST_CASE("run: a killed run takes its command with it, and the next one clears up") {
  if (!need_root()) return;
  const BindScene scene;
  const auto command = scene.start({"--enforce", "ebpf", "--ip", "10.1.0.9"},
                                   {"sh", "-c", "echo $$; exec sleep 1000"});
  REQUIRE(command->wait_for_text("\n"));
  CHECK(groups_of(scene).size() == 1);
  command->signal(SIGKILL);
  const std::string pid = trimmed(command->finish().out);
  for (int i = 0; i < 200 && fs::exists("/proc/" + pid); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK_FALSE(fs::exists("/proc/" + pid));
  CHECK(scene.particle({"gc"}).exit_code == 0);
  CHECK(scene.leases() == "no leases\n");
  CHECK(groups_of(scene).empty());
  CHECK(fs::is_empty(scene.run_dir() + "/enforce"));
}

TEST_CASE("run: an address whose run was killed can be had again at once") {
  if (!need_root()) return;
  const BindScene scene;
  const auto killed = scene.start({"--ip", "10.1.0.9"}, {"sh", "-c", "echo here; exec sleep 1000"});
  REQUIRE(killed->wait_for_text("here"));
  killed->signal(SIGKILL);
  killed->finish();
  CHECK(scene.run({"--ip", "10.1.0.9"}, {"true"}).exit_code == 0);
  CHECK(scene.leases() == "no leases\n");
  CHECK(fs::is_empty(scene.run_dir() + "/enforce"));
}

TEST_CASE("run: when the seccomp agent is gone, what it decided fails and nothing gets through") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string file = scene.run_dir() + "/verdict";
  const std::string orphan =
      "import os, socket, time\n"
      "kept = socket.socket(); kept.bind(('', 8080)); kept.listen()\n"
      "print('bound', flush=True)\n"
      "while os.getppid() == parent: time.sleep(0.01)\n"
      "time.sleep(0.1)\n"
      "try: socket.socket(); verdict = 'made'\n"
      "except OSError as e: verdict = e.strerror\n"
      "kept.settimeout(0)\n"
      "try: kept.accept()\n"
      "except BlockingIOError: verdict += ', kept'\n"
      "open('" +
      file + ".new', 'w').write(verdict); os.rename('" + file + ".new', '" + file + "')\n";
  // The shell dies with run; its child in a session of its own does not.
  const auto command =
      scene.start({"--enforce", "seccomp"},
                  {"sh", "-c", "python3 -c \"import os\nparent = $$\n" + orphan + "\" & wait"});
  REQUIRE(command->wait_for_text("bound"));
  command->signal(SIGKILL);
  for (int i = 0; i < 500 && !fs::exists(file); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  std::string verdict;
  std::ifstream stream(file);
  std::getline(stream, verdict);
  CHECK(verdict == "Function not implemented, kept");
}

TEST_CASE("run: each failure is one error, before the command starts") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string file = scene.run_dir() + "/ran";
  const std::vector<std::string> touch = {"touch", file};
  const auto refused = [&](const std::vector<std::string>& options, const std::string& words,
                           int code) {
    const CommandResult result = scene.run(options, touch);
    CAPTURE(result.err);
    CHECK(result.exit_code == code);
    CHECK(contains(result.err, words));
    CHECK(result.err.starts_with("particle: run web: "));
    CHECK_FALSE(fs::exists(file));
  };
  refused({"--enforce", "magic"}, "auto, ebpf, seccomp, preload, off", 2);
  refused({"--policy", "lenient"}, "rewrite, strict, audit", 2);
  refused({"--ip", "10.9.9.9"}, "10.9.9.9", 2);
  refused({"--group", "10.0.0.0/8"}, "multicast", 2);
  refused({"--enforce", "preload", "--policy", "audit"}, "audit by preload", 6);
  const auto holder = scene.start({"--ip", "10.1.0.9"}, {"sh", "-c", "echo here; exec sleep 1000"});
  REQUIRE(holder->wait_for_text("here"));
  refused({"--ip", "10.1.0.9"}, "held by", 7);
  const CommandResult unknown = scene.particle({"run", "--pool", "nope", "--", "touch", file});
  CHECK(unknown.exit_code == 3);
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("run: strict refuses what rewrite changes, and the own address works") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string any = "import socket; socket.socket().bind(('', 8080))";
  const std::string own =
      "import os, socket; socket.socket().bind((os.environ['PARTICLE_IP'], 8080))";
  for (const std::string mechanism : {"ebpf", "seccomp", "preload"}) {
    CAPTURE(mechanism);
    const CommandResult result =
        scene.run({"--enforce", mechanism, "--policy", "strict"}, {"python3", "-c", any});
    CHECK(contains(result.err, "Cannot assign requested address"));
    CHECK(scene.run({"--enforce", mechanism, "--policy", "strict"}, {"python3", "-c", own})
              .exit_code == 0);
  }
}

TEST_CASE("run: audit lets through and says what rewrite would have done") {
  if (!need_root()) return;
  const BindScene scene;
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    CAPTURE(mechanism);
    const CommandResult result = scene.run(
        {"--enforce", mechanism, "--policy", "audit"},
        {"python3", "-c",
         "import socket; s = socket.socket(); s.bind(('', 8080)); print(s.getsockname())"});
    CHECK(result.out == "('0.0.0.0', 8080)\n");
    CHECK(contains(result.err, "bind 0.0.0.0:8080: any address becomes the endpoint's"));
  }
}

TEST_CASE("run: a multicast group can be allowed") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string bind =
      "import socket; s = socket.socket(2, 2); s.bind(('224.0.0.251', 5353)); "
      "print(s.getsockname()[0])";
  for (const std::string mechanism : {"ebpf", "seccomp", "preload"}) {
    CAPTURE(mechanism);
    CHECK(scene.run({"--enforce", mechanism, "--group", "224.0.0.0/24"}, {"python3", "-c", bind})
              .out == "224.0.0.251\n");
    CHECK(scene.run({"--enforce", mechanism}, {"python3", "-c", bind}).exit_code == 1);
  }
}

TEST_CASE("run: a socket that was open before does not reach the command") {
  if (!need_root()) return;
  const BindScene scene;
  std::vector<std::string> words =
      scene.run_words({"--enforce", "ebpf"}, {"sh", "-c", "ls -l /proc/self/fd"});
  std::string line =
      "import os, socket; s = socket.socket(); os.set_inheritable(s.fileno(), True); "
      "os.execvp(a[0], a)";
  std::string list = "a = [";
  for (const std::string& word : words) list += "'" + word + "', ";
  const CommandResult result = run_command({"python3", "-c", list + "]; " + line}, &scene.node());
  CHECK(result.exit_code == 0);
  CHECK_FALSE(contains(result.out, "socket:"));
}

}  // namespace particle::test
