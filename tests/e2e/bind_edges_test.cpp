// SPDX-License-Identifier: Apache-2.0
// What lies beside the policy's table: sockets that change hands, programs that gain rights, filters
// that programs install themselves, many processes, and pools of one family.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include <sys/stat.h>

#include "e2e/bind_scene.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// seccomp(2) with a filter that allows everything; prints what comes of it, with and without a
/// listener, and where a bind to any address ends up under it.
constexpr const char* kNestedFilter =
    "import ctypes, errno, socket, struct\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "libc.prctl(38, 1, 0, 0, 0)\n"
    "code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\n"
    "prog = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 1, ctypes.addressof(code)))\n"
    "for flags in (8, 0):\n"
    "  r = libc.syscall(317, 1, flags, prog)\n"
    "  print('installed' if r >= 0 else errno.errorcode[ctypes.get_errno()])\n"
    "s = socket.socket(); s.bind(('', 8080)); print(s.getsockname()[0])\n";

/// Sends an unbound socket to whoever connects to the path.
constexpr const char* kGiver =
    "import array, os, socket, sys\n"
    "l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen()\n"
    "print('ready', flush=True)\n"
    "c, _ = l.accept(); s = socket.socket()\n"
    "socket.send_fds(c, [b'x'], [s.fileno()])\n"
    "c.recv(1)\n";
constexpr const char* kTaker =
    "import socket, sys\n"
    "c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])\n"
    "_, fds, _, _ = socket.recv_fds(c, 1, 1)\n"
    "s = socket.socket(fileno=fds[0]); s.bind(('', 0)); print(s.getsockname()[0])\n";

/// 300 processes at once, each of which binds any address; prints the addresses that came of it.
constexpr const char* kManyProcesses =
    "import os, socket\n"
    "r, w = os.pipe()\n"
    "for i in range(300):\n"
    "  if os.fork() == 0:\n"
    "    s = socket.socket(); s.bind(('', 0)); os.write(w, (s.getsockname()[0] + '\\n').encode())\n"
    "    os._exit(0)\n"
    "os.close(w)\n"
    "while True:\n"
    "  try: os.wait()\n"
    "  except ChildProcessError: break\n"
    "text = b''\n"
    "while True:\n"
    "  part = os.read(r, 65536)\n"
    "  if not part: break\n"
    "  text += part\n"
    "lines = text.decode().split()\n"
    "print(len(lines), *sorted(set(lines)))\n";

/// Hands its listener and a connection to whoever connects to the path, and ends.
constexpr const char* kLeaver =
    "import os, socket, sys\n"
    "s = socket.socket(); s.bind(('', 8080)); s.listen()\n"
    "p = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); p.bind(('127.0.0.1', 53))\n"
    "l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen()\n"
    "print('ready', flush=True)\n"
    "c, _ = l.accept(); socket.send_fds(c, [b'x'], [s.fileno(), p.fileno()]); c.recv(1)\n";
/// Keeps what it gets, in no endpoint, and says what becomes of the listener.
constexpr const char* kKeeper =
    "import socket, sys\n"
    "c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])\n"
    "_, fds, _, _ = socket.recv_fds(c, 1, 2)\n"
    "s = socket.socket(fileno=fds[0])\n"
    "c.close(); print('kept', flush=True)\n"
    "try: s.accept(); print('a connection', flush=True)\n"
    "except OSError as e: print('ended', flush=True)\n"
    "sys.stdin.read()\n";
constexpr const char* kNextHolder =
    "import socket\n"
    "s = socket.socket(); s.bind(('', 8080)); s.listen()\n"
    "p = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); p.bind(('127.0.0.1', 53))\n"
    "c = socket.create_connection(('127.0.0.1', 8080)); print(s.accept()[1][0])\n";

/// Forty threads wait for a connection that nobody accepts; meanwhile others are decided.
constexpr const char* kWaiters =
    "import os, socket, threading\n"
    "l = socket.socket(); l.bind(('', 8080)); l.listen(0)\n"
    "at = (os.environ['PARTICLE_IP'], 8080)\n"
    "def wait():\n"
    "  try: socket.socket().connect(at)\n"
    "  except OSError: pass\n"
    "for i in range(40): threading.Thread(target=wait, daemon=True).start()\n"
    "import time; time.sleep(0.5)\n"
    "for i in range(100):\n"
    "  s = socket.socket(); s.bind(('', 0)); assert s.getsockname()[0] == at[0]; s.close()\n"
    "print('decided', flush=True); os._exit(0)\n";
/// A hundred connections, one after the other; prints the threads of whoever started it.
constexpr const char* kConnector =
    "import os, socket\n"
    "l = socket.socket(); l.bind(('', 8080)); l.listen()\n"
    "for i in range(100):\n"
    "  c = socket.create_connection((os.environ['PARTICLE_IP'], 8080)); l.accept()[0].close(); "
    "c.close()\n"
    "print(len(os.listdir('/proc/%d/task' % os.getppid())))\n";

/// SO_REUSEPORT and SO_REUSEADDR as alone on an address.
constexpr const char* kReuse =
    "import errno, socket\n"
    "def at(option, listen=True):\n"
    "  s = socket.socket()\n"
    "  if option: s.setsockopt(socket.SOL_SOCKET, option, 1)\n"
    "  try:\n"
    "    s.bind(('', 8080))\n"
    "    if listen: s.listen()\n"
    "    print('bound', end=' ')\n"
    "  except OSError as e: print(errno.errorcode[e.errno], end=' ')\n"
    "  return s\n"
    "a = at(socket.SO_REUSEPORT); b = at(socket.SO_REUSEPORT); c = at(0); d = "
    "at(socket.SO_REUSEADDR)\n"
    "a.close(); b.close(); c.close(); d.close()\n"
    "e = at(socket.SO_REUSEADDR, False); f = at(socket.SO_REUSEADDR, False); print()\n";

}  // namespace

TEST_CASE(
    "bind edges: ports are shared within an endpoint as programs ask for, never with a sibling") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string expected = "bound bound EADDRINUSE EADDRINUSE bound bound \n";
  for (const std::string mechanism : kBindMechanisms) {
    CAPTURE(mechanism);
    // A sibling that has the port changes nothing.
    const auto sibling = scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"},
                                     {"sh", "-c", "exec python3 -u -m http.server 8080 2>&1"});
    REQUIRE(sibling->wait_for_text("Serving"));
    CHECK(scene.run({"--enforce", mechanism, "--ip", "10.1.0.22"}, {"python3", "-c", kReuse}).out ==
          expected);
    sibling->signal(SIGTERM);
    sibling->finish();
  }
}

TEST_CASE("bind edges: connects that wait keep nobody else waiting, and end with the command") {
  if (!need_root()) return;
  const BindScene scene;
  const auto begin = std::chrono::steady_clock::now();
  const CommandResult result =
      scene.run({"--enforce", "seccomp", "--ip", "10.1.0.9"}, {"python3", "-c", kWaiters});
  CAPTURE(result.err);
  CHECK(result.out == "decided\n");
  // A connection attempt lasts two minutes.
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(50));
}

TEST_CASE("bind edges: connections that come about at once cost the agent no thread") {
  if (!need_root()) return;
  const BindScene scene;
  const CommandResult result =
      scene.run({"--enforce", "seccomp", "--ip", "10.1.0.9"}, {"python3", "-c", kConnector});
  CAPTURE(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(std::stoi(result.out) <= 6);
}

TEST_CASE(
    "bind edges: sockets that were given away end with the lease, and the next holder has all") {
  if (!need_root()) return;
  const BindScene scene;
  for (const std::string mechanism : kBindMechanisms) {
    CAPTURE(mechanism);
    const std::string path = scene.run_dir() + "/" + mechanism;
    const auto leaver = scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"},
                                    {"python3", "-c", kLeaver, path});
    REQUIRE(leaver->wait_for_text("ready"));
    // Of this test, and so in no endpoint.
    Command keeper({"python3", "-c", kKeeper, path}, &scene.node());
    REQUIRE(keeper.wait_for_text("kept"));
    CHECK(leaver->finish().exit_code == 0);
    CHECK(keeper.wait_for_text("ended"));
    const CommandResult next =
        scene.run({"--enforce", mechanism, "--ip", "10.1.0.21"}, {"python3", "-c", kNextHolder});
    CAPTURE(next.err);
    CHECK(next.exit_code == 0);
    keeper.signal(SIGKILL);
    keeper.finish();
  }
}

TEST_CASE("bind edges: where each endpoint has a namespace of its own it is enforced as well") {
  if (!need_root()) return;
  const BindScene scene;
  const CommandResult made = scene.particle(
      {"create-pool", "apart", "--tenant", "blue", "--vni", "101", "--prefix", "10.2.0.0/24",
       "--isolation", "container", "--count", "20", "--underlay-dev", kUnderlayDevice});
  REQUIRE_MESSAGE(made.exit_code == 0, made.err);
  const std::string script =
      "import socket\n"
      "s = socket.socket(); s.bind(('', 8080)); s.listen(); print(s.getsockname()[0])\n"
      "l = socket.socket(); l.bind(('127.0.0.1', 6379)); l.listen()\n"
      "c = socket.create_connection(('127.0.0.1', 6379)); print(c.getpeername()[0])\n"
      "try: socket.socket().bind(('10.2.0.8', 1))\n"
      "except OSError as e: print(e.strerror)\n";
  for (const std::string mechanism : kBindMechanisms) {
    CAPTURE(mechanism);
    const CommandResult result =
        scene.particle({"run", "--pool", "apart", "--ip", "10.2.0.9", "--enforce", mechanism, "--",
                        "python3", "-c", script});
    CAPTURE(result.err);
    CHECK(result.out == "10.2.0.9\n127.0.0.1\nCannot assign requested address\n");
  }
  CHECK(scene.particle({"delete-pool", "apart"}).exit_code == 0);
}

TEST_CASE("bind edges: a program's own filter nests, its own listener is EBUSY") {
  if (!need_root()) return;
  const BindScene scene;
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    CAPTURE(mechanism);
    const CommandResult result =
        scene.run({"--enforce", mechanism, "--ip", "10.1.0.9"}, {"python3", "-c", kNestedFilter});
    CHECK(result.out == "EBUSY\ninstalled\n10.1.0.9\n");
  }
  CHECK(scene.run({"--enforce", "off"}, {"python3", "-c", kNestedFilter}).out ==
        "installed\ninstalled\n0.0.0.0\n");
}

TEST_CASE("bind edges: a set-user-ID program is enforced and gains no packet socket") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string program = scene.run_dir() + "/probe";
  fs::copy_file(bind_program("bind-probe"), program);
  REQUIRE(::chmod(program.c_str(), 04755) == 0);
  REQUIRE(::chmod(scene.run_dir().c_str(), 0755) == 0);
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    CAPTURE(mechanism);
    const auto probe = [&](const std::string& row) {
      return trimmed(scene
                         .run({"--enforce", mechanism, "--ip", "10.1.0.9"},
                              {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                               program, row})
                         .out);
    };
    CHECK(probe("bind-any4") == "10.1.0.9");
    CHECK(probe("packet") == "EPERM");
    CHECK(probe("raw") == "EPERM");
  }
}

TEST_CASE(
    "bind edges: a socket that is handed over is its maker's by ebpf, its user's by seccomp") {
  if (!need_root()) return;
  const BindScene scene;
  for (const auto& [mechanism, expected] :
       {std::pair<std::string, std::string>{"ebpf", "10.1.0.21"}, {"seccomp", "10.1.0.22"}}) {
    CAPTURE(mechanism);
    const std::string path = scene.run_dir() + "/" + mechanism;
    const auto giver =
        scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"}, {"python3", "-c", kGiver, path});
    REQUIRE(giver->wait_for_text("ready"));
    const CommandResult taken =
        scene.run({"--enforce", mechanism, "--ip", "10.1.0.22"}, {"python3", "-c", kTaker, path});
    CHECK(trimmed(taken.out) == expected);
    CHECK(giver->finish().exit_code == 0);
  }
}

TEST_CASE("bind edges: three hundred processes are one endpoint, and none is left") {
  if (!need_root()) return;
  const BindScene scene;
  for (const std::string mechanism : kBindMechanisms) {
    CAPTURE(mechanism);
    CHECK(scene.run({"--enforce", mechanism, "--ip", "10.1.0.9"}, {"python3", "-c", kManyProcesses})
              .out == "300 10.1.0.9\n");
  }
  CHECK(fs::is_empty(scene.run_dir() + "/enforce"));
}

TEST_CASE("bind edges: a command that forks without end is ended with all of it") {
  if (!need_root()) return;
  const BindScene scene;
  // Each of them lives on; the count is bounded so that the machine's other tests live, too.
  const std::string bomb =
      "sh -c 'n=0; while [ $n -lt 200 ]; do setsid sleep 1000 & n=$((n+1)); done; echo up; wait'";
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    CAPTURE(mechanism);
    const auto command = scene.start({"--enforce", mechanism, "--ip", "10.1.0.9"},
                                     {"sh", "-c", bomb + " 2>/dev/null"});
    REQUIRE(command->wait_for_text("up"));
    command->signal(SIGTERM);
    command->finish();
    CHECK(scene.run({"--enforce", mechanism, "--ip", "10.1.0.9"}, {"true"}).exit_code == 0);
  }
  CHECK(scene.leases() == "no leases\n");
  CHECK(fs::is_empty(scene.run_dir() + "/enforce"));
}

TEST_CASE("bind edges: an endpoint without IPv4 has IPv6 and its loopback") {
  if (!need_root()) return;
  const BindScene scene;
  const CommandResult made =
      scene.particle({"create-pool", "six", "--tenant", "blue", "--vni", "101", "--prefix",
                      "fd00:6::/64", "--count", "20", "--underlay-dev", kUnderlayDevice});
  REQUIRE_MESSAGE(made.exit_code == 0, made.err);
  const std::string script =
      "import socket\n"
      "def at(family, name, only=0):\n"
      "  try:\n"
      "    s = socket.socket(family)\n"
      "    if family == socket.AF_INET6: s.setsockopt(41, 26, only)\n"
      "    s.bind((name, 8080)); return s.getsockname()[0]\n"
      "  except OSError as e: return e.strerror\n"
      "print(at(10, '::')); print(at(10, '::', 1)); print(at(2, ''))\n";
  for (const std::string mechanism : {"ebpf", "seccomp", "preload"}) {
    CAPTURE(mechanism);
    const CommandResult result =
        scene.particle({"run", "--pool", "six", "--ip", "fd00:6::9", "--enforce", mechanism, "--",
                        "python3", "-c", script});
    CAPTURE(result.err);
    CHECK(result.out.starts_with("fd00:6::9\nfd00:6::9\n"));
    // IPv4 is not there: refused, in one way or another.
    CHECK(result.out.find("0.0.0.0") == std::string::npos);
    CHECK(result.out.find("10.1.") == std::string::npos);
  }
  CHECK(scene.particle({"delete-pool", "six"}).exit_code == 0);
}

}  // namespace particle::test
