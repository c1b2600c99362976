// SPDX-License-Identifier: Apache-2.0
// `particle agent` as a program: what it does while it runs, and that stopping it in any way loses nothing.
#include <doctest/doctest.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "e2e/cli_program.hpp"
#include "netns/pool_scene.hpp"
#include "overlay-adapters/announcement.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

using namespace std::chrono_literals;

template <class Condition>
bool soon(Condition condition, std::chrono::milliseconds limit = 10s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

PoolSpec spec_of(const std::string& name, const char* prefix, const std::string& tenant = "acme",
                 std::uint64_t vni = 7901) {
  PoolSpec spec = pool_spec(name, tenant, vni, {prefix});
  spec.underlay.device = kUnderlayDevice;
  return spec;
}

/// Node b is driven by hand; the agent under test is node a's.
struct AgentScene {
  Scene scene;
  std::string peers = scene.dir.file("peers.json");
  std::vector<overlay::Announcement> listed;

  AgentScene() { write(); }

  void write() const {
    std::ofstream file(peers + ".new", std::ios::trunc);
    file << "[";
    for (std::size_t i = 0; i < listed.size(); ++i)
      file << (i == 0 ? "\n" : ",\n") << to_json(listed[i]);
    file << "\n]\n";
    file.close();
    std::filesystem::rename(peers + ".new", peers);
  }
  void list(const PoolInfo& pool) {
    listed.push_back(overlay::announcement_of("b", pool));
    write();
  }
  [[nodiscard]] std::vector<std::string> arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"--run-dir", scene.dir.path(), "agent",
                                 "--overlay", "static",         "--peers",
                                 peers,       "--node",         "a"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  [[nodiscard]] std::unique_ptr<Command> start(std::vector<std::string> more = {}) const {
    std::vector<std::string> argv{particle_program()};
    const auto rest = arguments(std::move(more));
    argv.insert(argv.end(), rest.begin(), rest.end());
    auto agent = std::make_unique<Command>(argv, &scene.nodes.a);
    CHECK(agent->wait_for_text("drives node a"));
    return agent;
  }
  [[nodiscard]] CommandResult run(std::vector<std::string> more) const {
    return run_particle(arguments(std::move(more)), &scene.nodes.a);
  }
  [[nodiscard]] std::size_t entered(const std::string& tenant = "acme") const {
    const auto peers_there = scene.a.list_peers(tenant);
    if (!peers_there) return 0;
    return static_cast<std::size_t>(
        std::count_if(peers_there->begin(), peers_there->end(),
                      [](const PeerInfo& info) { return info.programmed; }));
  }
};

/// Two pools that reach each other as soon as a's agent has done its work.
struct Reach {
  PoolInfo a;
  PoolInfo b;
  NetNs from;
  TokenServer server;

  explicit Reach(AgentScene& agent)
      : a(make_pool(agent.scene.a, spec_of("a", "10.1.1.0/24"))),
        b(make_pool(agent.scene.b, spec_of("b", "10.1.2.0/24"))),
        from(must(agent.scene.a.open_pool_netns("a"))),
        server(must(agent.scene.b.open_pool_netns("b")), "b", {endpoint(b, Family::v4, 1)}) {
    must(agent.scene.b.add_peer(as_peer(a)));
    agent.list(b);
  }
  [[nodiscard]] bool works(std::chrono::milliseconds limit = 500ms) const {
    return ask(from, {}, endpoint(b, Family::v4, 1), server.port(), limit).has_value();
  }
};

/// What a service manager would hear.
class NotifySocket {
 public:
  explicit NotifySocket(std::string path) : path_(std::move(path)) {
    fd_ = UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// The next message that holds `text`; empty when none comes.
  [[nodiscard]] std::string wait_for(const std::string& text) const {
    for (;;) {
      pollfd event{.fd = fd_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&event, 1, 10'000) <= 0) return {};
      char buffer[4096];
      const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return {};
      const std::string message(buffer, static_cast<std::size_t>(got));
      if (message.find(text) != std::string::npos) return message;
    }
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

/// GET over a socket, as Prometheus does.
std::string get(const NetNs& netns, const std::string& address, const std::string& path) {
  const bool is_unix = address.starts_with('/');
  std::vector<std::string> argv{"curl", "--silent", "--include", "--max-time", "5"};
  if (is_unix) argv.insert(argv.end(), {"--unix-socket", address});
  argv.push_back("http://" + (is_unix ? std::string("localhost") : address) + path);
  return run_command(argv, &netns).out;
}

}  // namespace

TEST_CASE("agent: enters what the file lists, follows it on SIGHUP, and keeps it over a bad one") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const Reach reach(scene);
  CHECK_FALSE(reach.works(kSilence));
  const auto agent = scene.start();
  CHECK(soon([&] { return reach.works(); }));

  std::ofstream(scene.peers, std::ios::trunc) << "[{\"tenant\": ";
  agent->signal(SIGHUP);
  CHECK(agent->wait_for_text("is not JSON"));
  CHECK(reach.works(2s));
  CHECK(scene.entered() == 1);

  scene.listed.clear();
  scene.write();
  agent->signal(SIGHUP);
  CHECK(soon([&] { return scene.entered() == 0; }));
  CHECK_FALSE(reach.works(kSilence));
  agent->signal(SIGTERM);
  const CommandResult ended = agent->finish();
  CHECK(ended.exit_code == 0);
  CHECK(ended.out.empty());
  // Not a terminal: every line has its priority.
  std::istringstream lines(ended.err);
  for (std::string line; std::getline(lines, line);)
    CHECK_MESSAGE((line.size() > 3 && line[0] == '<' && line[2] == '>'), line);
}

TEST_CASE("agent: killed at any moment and started again, nothing is lost") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const Reach reach(scene);
  auto agent = scene.start();
  REQUIRE(soon([&] { return reach.works(); }));
  agent->signal(SIGKILL);
  (void)agent->finish();
  CHECK(reach.works(2s));
  // What changes while it is down is made up for.
  const PoolInfo late = make_pool(scene.scene.b, spec_of("late", "10.1.3.0/24"));
  scene.list(late);
  CHECK(reach.works(2s));
  agent = scene.start();
  CHECK(soon([&] { return scene.entered() == 2; }));
  CHECK(reach.works(2s));
  // In the middle of its work, again and again.
  for (int i = 0; i < 12; ++i) {
    scene.listed.resize(i % 2 == 0 ? 1 : 0);
    if (i % 2 != 0) scene.list(reach.b);
    if (i % 3 == 0) scene.list(late);
    scene.write();
    agent->signal(SIGHUP);
    std::this_thread::sleep_for(std::chrono::milliseconds(i));
    agent->signal(SIGKILL);
    (void)agent->finish();
    agent = scene.start();
  }
  CHECK(soon([&] { return scene.entered() == scene.listed.size(); }));
  CHECK(soon([&] { return reach.works(); }));
  // A kill in the middle of a write may leave the half-written file, and nothing else.
  for (const GcFinding& finding : must(scene.scene.a.collect_garbage()))
    CHECK_MESSAGE(finding.object.find(".new-") != std::string::npos,
                  (finding.object + ": " + finding.reason));
  CHECK(must(scene.scene.a.collect_garbage()).empty());
  CHECK(reach.works(2s));
}

TEST_CASE("agent: a pool that is made while it runs knows the others at once") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const PoolInfo b = make_pool(scene.scene.b, spec_of("b", "10.1.2.0/24"));
  scene.list(b);
  // Before the node has so much as a directory; the next resync is an hour away.
  const auto agent = scene.start({"--resync", "3600"});
  make_pool(scene.scene.a, spec_of("a", "10.1.1.0/24"));
  CHECK(soon([&] { return scene.entered() == 1; }));
  const PoolInfo blue = make_pool(scene.scene.b, spec_of("blue-b", "10.1.2.0/24", "blue", 7902));
  scene.list(blue);
  agent->signal(SIGHUP);
  must(scene.scene.a.create_pool(spec_of("blue-a", "10.1.1.0/24", "blue", 7902)));
  CHECK(soon([&] { return scene.entered("blue") == 1; }));
  must(scene.scene.a.delete_pool("a"));
  must(scene.scene.a.delete_pool("blue-a"));
  must(scene.scene.a.create_pool(spec_of("a", "10.1.1.0/24")));
  CHECK(soon([&] { return scene.entered() == 1; }));
}

TEST_CASE("agent: an entry that somebody took out of the kernel is restored") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const Reach reach(scene);
  const auto agent = scene.start({"--resync", "1"});
  REQUIRE(soon([&] { return reach.works(); }));
  run_ok({"ip", "route", "del", "10.1.2.0/24"}, reach.from);
  CHECK_FALSE(reach.works(kSilence));
  CHECK(agent->wait_for_text("restored peer 192.0.2.2"));
  CHECK(reach.works(2s));
}

TEST_CASE("agent: says to its service manager when it is ready, reloads and stops") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const Reach reach(scene);
  const NotifySocket manager(scene.scene.dir.file("notify"));
  std::vector<std::string> argv{"env", "NOTIFY_SOCKET=" + manager.path(), "WATCHDOG_USEC=200000",
                                particle_program()};
  const auto rest = scene.arguments();
  argv.insert(argv.end(), rest.begin(), rest.end());
  const Command agent(argv, &scene.scene.nodes.a);
  const std::string ready = manager.wait_for("READY=1");
  CHECK(ready.find("STATUS=overlay static is ok: 1 pools here, 1 elsewhere") != std::string::npos);
  CHECK(reach.works(2s));
  CHECK(manager.wait_for("WATCHDOG=1") != "");
  agent.signal(SIGHUP);
  CHECK(manager.wait_for("RELOADING=1").find("MONOTONIC_USEC=") != std::string::npos);
  CHECK(manager.wait_for("READY=1") != "");
  agent.signal(SIGTERM);
  CHECK(manager.wait_for("STOPPING=1") != "");
}

TEST_CASE("agent: metrics on loopback and on a UNIX socket, and nowhere else") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const Reach reach(scene);
  must(scene.scene.a.lease(wish("a", "c1", 3)));
  const NetNs& node = scene.scene.nodes.a;
  for (const std::string& address : {std::string("127.0.0.1:9469"), std::string("[::1]:9469"),
                                     scene.scene.dir.file("metrics.sock")}) {
    CAPTURE(address);
    auto agent = scene.start({"--metrics", address});
    const std::string text = get(node, address, "/metrics");
    CHECK(text.find("200 OK") != std::string::npos);
    CHECK(text.find("particle_pool_leases{pool=\"a\",tenant=\"acme\"} 3\n") != std::string::npos);
    CHECK(text.find("particle_peers{tenant=\"acme\"} 1\n") != std::string::npos);
    CHECK(text.find("particle_reconcile_errors_total 0\n") != std::string::npos);
    CHECK(text.find("particle_reconcile_seconds_count 1\n") != std::string::npos);
    CHECK(get(node, address, "/").find("404 Not Found") != std::string::npos);
    // A killed agent leaves its socket's file behind, which is no hindrance.
    agent->signal(SIGKILL);
    (void)agent->finish();
    agent = scene.start({"--metrics", address});
    CHECK(get(node, address, "/metrics").find("200 OK") != std::string::npos);
    agent->signal(SIGTERM);
    CHECK(agent->finish().exit_code == 0);
    if (address.starts_with('/')) CHECK_FALSE(std::filesystem::exists(address));
  }
  for (const char* address : {"0.0.0.0:9469", "192.0.2.1:9469", "[::]:9469", "127.0.0.1", "x:1",
                              "127.0.0.1:99999", "metrics.sock"}) {
    CAPTURE(address);
    const CommandResult refused = scene.run({"--metrics", address});
    CHECK(refused.exit_code == 2);
    CHECK(refused.err.find("metrics address") != std::string::npos);
  }
}

TEST_CASE("agent: one of them for each node and overlay") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const auto agent = scene.start();
  const CommandResult second = scene.run({});
  CHECK(second.exit_code == 7);
  CHECK(second.err.find("another agent") != std::string::npos);
  CHECK(scene.run({"--once"}).exit_code == 7);
  agent->signal(SIGKILL);
  (void)agent->finish();
  CHECK(scene.run({"--once"}).exit_code == 0);
}

TEST_CASE("agent: --once says what it changed, and --forget takes all of it off") {
  if (!need_namespaces()) return;
  AgentScene scene;
  const Reach reach(scene);
  const CommandResult first = scene.run({"--once", "--json"});
  CHECK(first.exit_code == 0);
  const auto report = parse_output(first);
  CHECK(schema_violations(report, "agent") == std::vector<std::string>{});
  CHECK(report["changed"] == true);
  REQUIRE(report["added"].size() == 1);
  CHECK(report["added"][0]["vtep"] == "192.0.2.2");
  CHECK(reach.works(2s));
  const CommandResult again = scene.run({"--once"});
  CHECK(again.exit_code == 0);
  CHECK(again.out == "overlay static: 1 peer, nothing had to be changed\n");

  // A second one that claims the same addresses is refused, the first one stays.
  overlay::Announcement thief = scene.listed.front();
  thief.pool = "thief";
  thief.peer.mac = Mac::derive("thief");
  thief.peer.vtep = ip("192.0.2.9");
  scene.listed.push_back(thief);
  scene.write();
  const CommandResult refused = scene.run({"--once", "--json"});
  CHECK(refused.exit_code == 4);
  CHECK(schema_violations(parse_output(refused), "agent") == std::vector<std::string>{});
  CHECK(parse_output(refused)["refused"].size() == 1);
  CHECK(reach.works(2s));

  must(scene.scene.a.add_peer({"acme", ip("192.0.2.7"), Mac::derive("7"), {net("10.7.0.0/24")}}));
  const std::vector<std::string> forget{
      "--run-dir", scene.scene.dir.path(), "agent", "--overlay", "static", "--forget", "--json"};
  const CommandResult forgotten = run_particle(forget, &scene.scene.nodes.a);
  CHECK(forgotten.exit_code == 0);
  CHECK(schema_violations(parse_output(forgotten), "agent") == std::vector<std::string>{});
  CHECK(parse_output(forgotten)["forgotten"] == 1);
  CHECK(scene.entered() == 1);
  CHECK_FALSE(reach.works(kSilence));
}

TEST_CASE("agent: wrong arguments are refused and named") {
  if (!need_namespaces()) return;
  const AgentScene scene;
  const auto refused = [&](std::vector<std::string> words, const std::string& named, int code = 2) {
    words.insert(words.begin(), {"--run-dir", scene.scene.dir.path(), "agent"});
    const CommandResult result = run_particle(words, &scene.scene.nodes.a);
    CHECK_MESSAGE(result.exit_code == code, result.err);
    CHECK_MESSAGE(result.err.find(named) != std::string::npos, result.err);
  };
  refused({}, "--overlay");
  refused({"--overlay", "nonsense"}, "the overlays are: static");
  refused({"--overlay", "static"}, "--peers");
  refused({"--overlay", "static", "--peers", "x", "--node", "a/b"}, "a/b");
  refused({"--overlay", "static", "--peers", "x", "--resync", "0"}, "--resync");
  refused({"--overlay", "static", "--peers", "x", "--once", "--forget"}, "--forget");
  refused({"--overlay", "static", "--peers", "/nonexistent", "--once"}, "/nonexistent", 3);
}

}  // namespace particle::test
