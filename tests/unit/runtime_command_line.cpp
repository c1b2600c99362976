// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "runtime/command_line.hpp"

namespace particle::runtime {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("particle-runc's command line: as containerd's shim calls create") {
  const CommandLine line = read_command_line(
      {"--root", "/run/containerd/runc/k8s.io", "--log", "/bundle/log.json", "--log-format", "json",
       "--systemd-cgroup", "create", "--bundle", "/bundle", "--pid-file", "/bundle/init.pid",
       "--console-socket", "/tmp/pty.sock", "c42"});
  CHECK(line.verb == Verb::create);
  CHECK(line.root == "/run/containerd/runc/k8s.io");
  CHECK(line.log == "/bundle/log.json");
  CHECK(line.log_json);
  CHECK(line.bundle == "/bundle");
  CHECK(line.id == "c42");
  CHECK(line.rest.size() == 15);
}

TEST_CASE("particle-runc's command line: one dash, equals signs and options behind the id") {
  const CommandLine line = read_command_line(
      {"-root=/r", "--log=/l", "--log-format=text", "-debug", "create", "c1", "-b", "/b"});
  CHECK(line.verb == Verb::create);
  CHECK(line.root == "/r");
  CHECK(line.log == "/l");
  CHECK_FALSE(line.log_json);
  CHECK(line.bundle == "/b");
  CHECK(line.id == "c1");
}

TEST_CASE("particle-runc's command line: as conmon calls crun") {
  const CommandLine line =
      read_command_line({"--cgroup-manager", "disabled", "--root=/run/crun", "create", "--bundle",
                         "/b", "--pid-file", "/p", "--no-pivot", "c1"});
  CHECK(line.verb == Verb::create);
  CHECK(line.root == "/run/crun");
  CHECK(line.bundle == "/b");
  CHECK(line.id == "c1");
}

TEST_CASE("particle-runc's command line: run in the foreground ends with its container") {
  CHECK(read_command_line({"run", "c1"}).verb == Verb::run);
  CHECK(read_command_line({"run", "-b", "/b", "--preserve-fds", "3", "c1"}).verb == Verb::run);
  CHECK(read_command_line({"run", "--detach=false", "c1"}).verb == Verb::run);
  CHECK(read_command_line({"restore", "--image-path", "/i", "c1"}).verb == Verb::run);
}

TEST_CASE("particle-runc's command line: a container that stays needs a delete") {
  for (const Words& words : {Words{"run", "-d", "c1"}, Words{"run", "--detach", "c1"},
                             Words{"run", "c1", "--keep"}, Words{"restore", "-d", "c1"}}) {
    CAPTURE(words);
    CHECK(read_command_line(words).verb == Verb::create);
    CHECK(read_command_line(words).id == "c1");
  }
}

TEST_CASE("particle-runc's command line: delete, with and without force") {
  for (const Words& words :
       {Words{"delete", "c1"}, Words{"delete", "--force", "c1"}, Words{"delete", "c1", "-f"}}) {
    CAPTURE(words);
    CHECK(read_command_line(words).verb == Verb::remove);
    CHECK(read_command_line(words).id == "c1");
  }
}

TEST_CASE("particle-runc's command line: exec, whose options end at the id") {
  const CommandLine line = read_command_line({"exec", "--process", "/tmp/p.json", "--detach",
                                              "--pid-file=/p", "-e", "A=b", "c1", "-p", "x"});
  CHECK(line.verb == Verb::exec);
  CHECK(line.process == "/tmp/p.json");
  CHECK(line.id == "c1");
  CHECK(read_command_line({"exec", "c1", "create", "c2"}).id == "c1");
  CHECK(read_command_line({"exec", "c1", "sh"}).process.empty());
}

TEST_CASE("particle-runc's command line: what follows two dashes is no option") {
  const CommandLine line = read_command_line({"create", "--", "-strange-id"});
  CHECK(line.verb == Verb::create);
  CHECK(line.id == "-strange-id");
}

TEST_CASE("particle-runc's command line: everything else is the real runtime's business") {
  for (const Words& words :
       {Words{}, Words{"--version"}, Words{"--help"}, Words{"-v", "create", "c1"}, Words{"create"},
        Words{"create", "--help"}, Words{"run", "-h", "c1"}, Words{"state", "c1"},
        Words{"start", "c1"}, Words{"exec", "--help"}, Words{"kill", "c1", "KILL"}, Words{"--root"},
        Words{"--root", "create"}, Words{"-"}, Words{"--unknown", "list"}}) {
    CAPTURE(words);
    const CommandLine line = read_command_line(words);
    CHECK(line.verb == Verb::other);
    CHECK(line.rest == words);
  }
}

}  // namespace
}  // namespace particle::runtime
