// SPDX-License-Identifier: Apache-2.0
// Real programs, two of each as siblings on one port: both serve, each at its own address; and what
// each of them connects to sees that address.
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "e2e/bind_scene.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

/// A program of the system, or one unpacked below build/components. Empty when there is none.
std::string find_program(const std::string& name) {
  const char* components = std::getenv("PARTICLE_COMPONENTS");
  const std::string root =
      components != nullptr ? components : std::string(PARTICLE_TEST_BIN_DIR) + "/../../components";
  for (const std::string directory : {"/usr/bin/", "/usr/sbin/", "/bin/", "/usr/local/bin/"}) {
    for (const std::string& path : {directory + name, root + "/root" + directory + name}) {
      if (::access(path.c_str(), X_OK) == 0) return path;
    }
  }
  return "";
}

std::string component_libraries() {
  const char* components = std::getenv("PARTICLE_COMPONENTS");
  const std::string root =
      components != nullptr ? components : std::string(PARTICLE_TEST_BIN_DIR) + "/../../components";
  return root + "/root/usr/lib/x86_64-linux-gnu";
}

/// A URL fetched from endpoint 10.1.0.30, without a proxy's help.
std::string fetch(const BindScene& scene, const std::string& mechanism, const std::string& url) {
  const std::string script =
      "import sys, time, urllib.request as r\n"
      "o = r.build_opener(r.ProxyHandler({}))\n"
      "for i in range(100):\n"
      "  try:\n"
      "    print(o.open(sys.argv[1], timeout=5).read().decode()); break\n"
      "  except OSError as e:\n"
      "    error = e; time.sleep(0.05)\n"
      "else: print(error)\n";
  return trimmed(
      scene.run({"--enforce", mechanism, "--ip", "10.1.0.30"}, {"python3", "-c", script, url}).out);
}

/// Runs `server` twice on one port; `answer` is what each says, OWN standing for its address and PEER
/// for the client's.
void check_siblings(const BindScene& scene, const std::string& mechanism,
                    const std::vector<std::string>& server, int port, const std::string& answer) {
  CAPTURE(mechanism);
  const auto one = scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"}, server);
  const auto two = scene.start({"--enforce", mechanism, "--ip", "10.1.0.22"}, server);
  for (const std::string own : {"10.1.0.21", "10.1.0.22"}) {
    std::string expected = answer;
    for (const auto& [word, value] :
         {std::pair<std::string, std::string>{"OWN", own}, {"PEER", "10.1.0.30"}}) {
      if (const std::size_t at = expected.find(word); at != std::string::npos)
        expected.replace(at, word.size(), value);
    }
    CHECK(fetch(scene, mechanism, "http://" + own + ":" + std::to_string(port) + "/") == expected);
  }
  for (const auto* program : {&one, &two}) {
    (*program)->signal(SIGTERM);
    (*program)->finish();
  }
}

}  // namespace

TEST_CASE("bind programs: two Python servers share a port") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string script =
      "import http.server as h, os\n"
      "class H(h.BaseHTTPRequestHandler):\n"
      "  def do_GET(s):\n"
      "    s.send_response(200); s.end_headers()\n"
      "    s.wfile.write(('I am %s, you are %s' % (os.environ['PARTICLE_IP'], "
      "s.client_address[0])).encode())\n"
      "h.ThreadingHTTPServer(('', 8080), H).serve_forever()\n";
  for (const std::string mechanism : kBindMechanisms) {
    check_siblings(scene, mechanism, {"python3", "-c", script}, 8080, "I am OWN, you are PEER");
  }
}

TEST_CASE("bind programs: two Node servers share a port") {
  if (!need_root()) return;
  if (find_program("node").empty()) return skip_component("nodejs", "no node in PATH");
  const BindScene scene;
  // Node listens on ::, dual-stack, where it can.
  const std::string script =
      "require('http').createServer((q, a) => a.end('I am ' + process.env.PARTICLE_IP + ', you are "
      "' +"
      " q.socket.remoteAddress.replace('::ffff:', ''))).listen(8080)";
  for (const std::string mechanism : kBindMechanisms) {
    check_siblings(scene, mechanism, {find_program("node"), "-e", script}, 8080,
                   "I am OWN, you are PEER");
  }
}

TEST_CASE("bind programs: two Go servers share a port, static as they are") {
  if (!need_root()) return;
  const std::string server = bind_program("bind-go-server");
  if (::access(server.c_str(), X_OK) != 0)
    return skip_component("golang-go", "no go when this was built");
  const BindScene scene;
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    check_siblings(scene, mechanism, {server}, 8080, "I am OWN, you are PEER");
    // And as a client: the runtime's own non-blocking connect.
    const auto one = scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"}, {server});
    REQUIRE(one->wait_for_text("serving"));
    CHECK(
        scene.run({"--enforce", mechanism, "--ip", "10.1.0.30"}, {server, "http://10.1.0.21:8080/"})
            .out == "I am 10.1.0.21, you are 10.1.0.30\n");
    one->signal(SIGTERM);
    one->finish();
  }
}

TEST_CASE("bind programs: two Java servers share a port") {
  if (!need_root()) return;
  const std::string classes = bind_program("java");
  if (find_program("java").empty() || ::access(classes.c_str(), R_OK) != 0)
    return skip_component("openjdk-17-jdk-headless",
                          "no java now, or no javac when this was built");
  const BindScene scene;
  const std::vector<std::string> server = {find_program("java"),
                                           "-Xmx64m",
                                           "-XX:+UseSerialGC",
                                           "-XX:TieredStopAtLevel=1",
                                           "-cp",
                                           classes,
                                           "Server"};
  for (const std::string mechanism : kBindMechanisms) {
    check_siblings(scene, mechanism, server, 8080, "I am OWN, you are PEER");
    const auto one = scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"}, server);
    REQUIRE(one->wait_for_text("serving"));
    std::vector<std::string> client = server;
    client.emplace_back("http://10.1.0.21:8080/");
    CHECK(scene.run({"--enforce", mechanism, "--ip", "10.1.0.30"}, client).out ==
          "I am 10.1.0.21, you are 10.1.0.30\n");
    one->signal(SIGTERM);
    one->finish();
  }
}

TEST_CASE("bind programs: two busybox httpd share a port, static as they are") {
  if (!need_root()) return;
  if (find_program("busybox").empty())
    return skip_component("busybox-static", "no busybox in PATH");
  const BindScene scene;
  const std::string root = scene.run_dir() + "/www";
  fs::create_directory(root);
  std::ofstream(root + "/index.html") << "busybox\n";
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    check_siblings(scene, mechanism,
                   {find_program("busybox"), "httpd", "-f", "-p", "8080", "-h", root}, 8080,
                   "busybox");
  }
}

TEST_CASE("bind programs: two nginx share a port") {
  if (!need_root()) return;
  if (find_program("nginx").empty())
    return skip_component("nginx-light", "not unpacked below build/components");
  const BindScene scene;
  for (const std::string mechanism : kBindMechanisms) {
    const std::string script =
        "d=$(mktemp -d " + scene.run_dir() +
        "/nginx.XXXXXX); cat >$d/c <<END\n"
        "daemon off; pid $d/pid; error_log stderr; worker_processes 2; events {}\n"
        "http { access_log off; client_body_temp_path $d/1; proxy_temp_path $d/2; "
        "fastcgi_temp_path $d/3;\n"
        "uwsgi_temp_path $d/4; scgi_temp_path $d/5;\n"
        "server { listen 8080; listen [::]:8080; location / { return 200 \"I am $PARTICLE_IP, you "
        "are \\$remote_addr\"; } } }\n"
        "END\nexec " +
        find_program("nginx") + " -e stderr -c $d/c";
    check_siblings(scene, mechanism, {"sh", "-c", script}, 8080, "I am OWN, you are PEER");
  }
}

TEST_CASE("bind programs: each endpoint has a redis of its own at 127.0.0.1:6379") {
  if (!need_root()) return;
  if (find_program("redis-server").empty())
    return skip_component("redis-server", "not unpacked below build/components");
  const BindScene scene;
  for (const std::string mechanism : kBindMechanisms) {
    CAPTURE(mechanism);
    // Each endpoint: a server on its loopback, its own name written to it, and read back after the
    // other endpoint has written as well.
    const std::string script =
        "cd " + scene.run_dir() + "; export LD_LIBRARY_PATH=" + component_libraries() + "; " +
        find_program("redis-server") +
        " --port 6379 --bind 127.0.0.1 --save '' --daemonize no >redis.log 2>&1 & "
        "cli='" +
        find_program("redis-cli") + "'; export LD_LIBRARY_PATH=" + component_libraries() +
        "; "
        "for i in $(seq 100); do $cli set who $PARTICLE_IP >/dev/null 2>&1 && break; sleep 0.05; "
        "done; "
        "echo ready; sleep 1; $cli get who; kill $!; wait";
    const auto one =
        scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"}, {"sh", "-c", script});
    const auto two =
        scene.start({"--enforce", mechanism, "--ip", "10.1.0.22"}, {"sh", "-c", script});
    CHECK(one->finish().out == "ready\n10.1.0.21\n");
    CHECK(two->finish().out == "ready\n10.1.0.22\n");
  }
}

TEST_CASE("bind programs: two iperf3 servers share a port, TCP and UDP") {
  if (!need_root()) return;
  if (find_program("iperf3").empty()) return skip_component("iperf3", "not in PATH");
  const BindScene scene;
  for (const std::string mechanism : kBindMechanisms) {
    CAPTURE(mechanism);
    const auto one = scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"},
                                 {"iperf3", "-s", "--forceflush"});
    const auto two = scene.start({"--enforce", mechanism, "--ip", "10.1.0.22"},
                                 {"iperf3", "-s", "--forceflush"});
    REQUIRE(one->wait_for_text("listening"));
    REQUIRE(two->wait_for_text("listening"));
    for (const std::string to : {"10.1.0.21", "10.1.0.22"}) {
      for (const std::string transport : {"", "-u"}) {
        std::vector<std::string> client = {"iperf3", "-c", to, "-n", "100K"};
        if (!transport.empty()) client.push_back(transport);
        const CommandResult result =
            scene.run({"--enforce", mechanism, "--ip", "10.1.0.30"}, client);
        CAPTURE(result.out);
        CAPTURE(result.err);
        CHECK(result.exit_code == 0);
        CHECK(result.out.find("local 10.1.0.30 port") != std::string::npos);
      }
    }
    one->signal(SIGTERM);
    two->signal(SIGTERM);
    one->finish();
    two->finish();
  }
}

TEST_CASE("bind programs: io_uring binds, connects and sends as the endpoint, or not at all") {
  if (!need_root()) return;
  const BindScene scene;
  for (const auto& [mechanism, expected] :
       {std::pair<std::string, std::string>{"ebpf", "10.1.0.30"}, {"seccomp", "ENOSYS"}}) {
    CAPTURE(mechanism);
    const auto sibling = scene.start({"--enforce", mechanism, "--ip", "10.1.0.21"},
                                     {bind_program("bind-probe"), "serve"});
    REQUIRE(sibling->wait_for_text("serving"));
    const auto by_ring = [&](std::vector<std::string> words) {
      words.insert(words.begin(), bind_program("bind-uring"));
      return trimmed(scene.run({"--enforce", mechanism, "--ip", "10.1.0.30"}, words).out);
    };
    CHECK(by_ring({"connect", "10.1.0.21"}) == expected);
    CHECK(by_ring({"send", "10.1.0.21"}) == expected);
    const std::string bound = by_ring({"bind"});
    if (bound == "EINVAL") {
      MESSAGE("the kernel is older than 6.11: io_uring has no bind");
    } else {
      CHECK(bound == expected);
    }
    sibling->signal(SIGTERM);
    sibling->finish();
  }
}

TEST_CASE("bind programs: io_uring passes the preload library by") {
  if (!need_root()) return;
  const BindScene scene;
  const std::string bound = trimmed(
      scene.run({"--enforce", "preload", "--ip", "10.1.0.30"}, {bind_program("bind-uring"), "bind"})
          .out);
  CHECK((bound == "0.0.0.0" || bound == "EINVAL"));
}

TEST_CASE("bind attack: i386 system calls are judged by ebpf and refused by seccomp") {
  if (!need_root()) return;
  const BindScene scene;
  CHECK(scene.run({"--enforce", "ebpf", "--ip", "10.1.0.21"}, {bind_program("bind-i386")}).out ==
        "10.1.0.21\n");
  CHECK(scene.run({"--enforce", "seccomp", "--ip", "10.1.0.21"}, {bind_program("bind-i386")}).out ==
        "ENOSYS\n");
  CHECK(scene.run({"--enforce", "off", "--ip", "10.1.0.21"}, {bind_program("bind-i386")}).out ==
        "0.0.0.0\n");
}

TEST_CASE("bind attack: memory and descriptors that change between check and use never escape") {
  if (!need_root()) return;
  const BindScene scene;
  for (const std::string mechanism : {"ebpf", "seccomp"}) {
    for (const std::string way : {"memory", "swap"}) {
      CAPTURE(mechanism);
      CAPTURE(way);
      const CommandResult result =
          scene.run({"--enforce", mechanism, "--ip", "10.1.0.21"},
                    {bind_program("bind-racer"), way, "10.1.0.22", "100000"});
      CHECK(result.exit_code == 0);
      CHECK(result.out == "100000 tries, 0 escapes\n");
    }
  }
}

TEST_CASE("bind attack: without enforcement the same attacker gets everything") {
  if (!need_root()) return;
  const BindScene scene;
  const CommandResult result =
      scene.run({"--enforce", "off", "--ip", "10.1.0.21"},
                {bind_program("bind-racer"), "memory", "10.1.0.22", "1000"});
  CHECK(result.out == "1000 tries, 1000 escapes\n");
}

}  // namespace particle::test
