// SPDX-License-Identifier: Apache-2.0
// The verbs on the real kernel, two namespaces playing the nodes.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "e2e/cli_program.hpp"

namespace particle::test {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

/// A node's command line with a run directory of its own.
class NodeShell {
 public:
  NodeShell(const NetNs& node, std::string run_dir) : node_(node), run_dir_(std::move(run_dir)) {}

  CommandResult run(Words words, const Words& environment = {}) const {
    words.insert(words.begin(), {"--run-dir", run_dir_});
    return run_particle(words, &node_, environment);
  }
  /// Runs with --json; the document must fit the schema of the verb, or of an error.
  Json json(Words words, int exit_code = 0) const {
    const std::string schema = exit_code == 0 ? words.front() : "error";
    words.insert(words.begin() + 1, "--json");
    const CommandResult result = run(words);
    CAPTURE(words);
    CAPTURE(result.out);
    CAPTURE(result.err);
    CHECK(result.exit_code == exit_code);
    Json document = parse_output(result);
    CHECK(schema_violations(document, schema) == Words{});
    return document;
  }
  [[nodiscard]] const std::string& run_dir() const { return run_dir_; }
  [[nodiscard]] const NetNs& node() const { return node_; }

 private:
  const NetNs& node_;
  std::string run_dir_;
};

Words create(const std::string& range, const Words& more = {}) {
  Words words = {"create-pool", "web", "--tenant",       "acme",
                 "--vni",       "100", "--prefix",       "10.1.0.0/24",
                 "--range",     range, "--underlay-dev", kUnderlayDevice};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string links_of(const NetNs& node) {
  return run_command({"ip", "-o", "link"}, &node).out;
}

}  // namespace

TEST_CASE("cli: a pool is made, shown, leased from, resized and deleted") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  const std::string links = links_of(nodes.a);

  const Json plan = a.json(create("10.1.0.1-10.1.0.20", {"--dry-run"}));
  CHECK(plan["steps"].size() > 4);
  CHECK_FALSE(std::filesystem::exists(a.run_dir()));
  CHECK(links_of(nodes.a) == links);

  const Json made = a.json(create("10.1.0.1-10.1.0.20"));
  CHECK(made["changed"] == true);
  CHECK(made["timings"]["not_needed"].contains("S3"));
  CHECK(made["timings"]["steps"].size() == plan["steps"].size());
  CHECK(made["pool"]["mtu"] == 1450);

  const Json again = a.json(create("10.1.0.1-10.1.0.20"));
  CHECK(again["changed"] == false);
  CHECK(contains(a.run(create("10.1.0.1-10.1.0.20")).out, "exists already with this spec"));
  const Json other = a.json(create("10.1.0.1-10.1.0.30"), 4);
  CHECK_FALSE(other["error"]["details"].empty());

  const Json shown = a.json({"show-pool", "web"});
  CHECK(shown["health"] == "ready");
  CHECK(shown["capacity"] == 20);
  CHECK(shown["vtep"] == "192.0.2.1");
  CHECK(a.json({"list-pools"})["pools"].size() == 1);
  CHECK(a.json({"list-pools", "--tenant", "other"})["pools"].empty());

  CHECK(a.run({"lease", "web", "--holder", "c1", "--ip", "10.1.0.7"}).out == "10.1.0.7\n");
  const Json leases = a.json({"lease", "web", "--holder", "c2", "--count", "3"});
  CHECK(leases["leases"].size() == 3);
  CHECK(a.json({"list-leases", "web"})["leases"].size() == 4);
  CHECK(a.json({"list-leases", "--holder", "c1"})["leases"][0]["v4"] == "10.1.0.7");
  CHECK(a.json({"lease", "web", "--holder", "c3", "--ip", "10.1.0.7", "--wait", "0"},
               7)["error"]["kind"] == "busy");
  CHECK(a.json({"lease", "web", "--holder", "c3", "--count", "1000"}, 8)["error"]["kind"] ==
        "exhausted");
  CHECK(a.json({"lease", "web", "--holder", "c3", "--ip", "10.1.0.99"}, 2)["error"]["kind"] ==
        "invalid_argument");

  CHECK(a.json({"resize-pool", "web", "--prefix", "10.1.0.0/24", "--range",
                "10.1.0.1-10.1.0.40"})["pool"]["capacity"] == 40);
  CHECK(a.json({"delete-pool", "web"}, 7)["error"]["kind"] == "busy");
  CHECK(a.json({"release", "web", "--holder", "c2"})["released"].size() == 3);
  CHECK(a.json({"release", "web", "--holder", "c2"})["released"].empty());
  CHECK(a.json({"gc", "--dry-run"})["findings"].empty());
  CHECK(a.json({"gc"})["findings"].empty());
  a.json({"delete-pool", "web", "--dry-run"}, 7);
  CHECK(a.json({"delete-pool", "web", "--force"})["changed"] == true);
  CHECK(links_of(nodes.a) == links);
  for (const char* verb : {"show-pool", "delete-pool", "lease", "resize-pool"}) {
    Words words = {verb, "web"};
    if (words.front() == "lease") words.insert(words.end(), {"--holder", "c"});
    if (words.front() == "resize-pool") words.insert(words.end(), {"--count", "3"});
    a.json(words, 3);
  }
  CHECK(a.json({"list-leases"})["leases"].empty());
}

TEST_CASE("cli: text output of create-pool, its plan and its timings") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  const CommandResult plan = a.run(create("10.1.0.1-10.1.0.20", {"--dry-run"}));
  for (const char* stage : {" S1 ", " S2 ", " S5 ", " S6 "}) {
    CAPTURE(stage);
    CHECK(contains(plan.out, stage));
  }
  const CommandResult made = a.run(create("10.1.0.1-10.1.0.20", {"--timings"}));
  CAPTURE(made.out);
  CHECK(made.exit_code == 0);
  CHECK(made.err.empty());
  CHECK(made.out.starts_with(
      "pool web is ready: 20 endpoints in 10.1.0.1-10.1.0.20 of 10.1.0.0/24\n"));
  CHECK(contains(made.out, "\nS3      -"));
  CHECK(contains(made.out, "\nS4      -"));
  CHECK(contains(made.out, "not needed: both ends are born in place\n"));
  CHECK(contains(made.out, "\ntotal"));
  CHECK(contains(a.run({"list-pools"}).out, "acme"));
  CHECK(contains(a.run({"show-pool", "web"}).out, "ready"));
  CHECK(contains(a.run({"list-leases"}).out, "no leases"));
  CHECK(contains(a.run({"list-peers"}).out, "no peers"));
  CHECK(contains(a.run({"gc"}).out, "nothing to clean up"));
  CHECK(contains(a.run({"release", "web", "--holder", "c1"}).out, "holds nothing"));
  CHECK(a.run({"delete-pool", "web"}).out == "pool web is deleted\n");
}

TEST_CASE("cli: two nodes introduced with --from exchange TCP between leased endpoints") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  const NodeShell b(nodes.b, dir.file("b"));
  a.json(create("10.1.0.1-10.1.0.100"));
  b.json(create("10.1.0.101-10.1.0.200"));
  const auto introduce = [&](const NodeShell& from, const NodeShell& to, const std::string& file) {
    std::ofstream(dir.file(file)) << from.run({"show-pool", "web", "--json"}).out;
    return to.json({"add-peer", "--from", dir.file(file)});
  };
  CHECK(introduce(a, b, "a.json")["changed"] == true);
  CHECK(introduce(b, a, "b.json")["warnings"].empty());
  CHECK(introduce(b, a, "b.json")["changed"] == false);
  const Json peers = a.json({"list-peers"});
  CHECK(peers["peers"].size() == 1);
  CHECK(peers["peers"][0]["programmed"] == true);

  CHECK(b.run({"lease", "web", "--holder", "server", "--ip", "10.1.0.150"}).out == "10.1.0.150\n");
  CHECK(a.run({"lease", "web", "--holder", "client", "--ip", "10.1.0.50"}).out == "10.1.0.50\n");
  const std::string server_code =
      "import os,socket\n"
      "s=socket.create_server((os.environ['PARTICLE_IP'],7000))\n"
      "print('listening',flush=True)\n"
      "c,peer=s.accept()\n"
      "c.sendall(peer[0].encode())\n";
  const std::string client_code =
      "import os,socket\n"
      "s=socket.create_connection(('10.1.0.150',7000),timeout=10,source_address=(os.environ['"
      "PARTICLE_IP'],0))\n"
      "print(os.environ['PARTICLE_POOL'],s.recv(99).decode())\n";
  Command server({particle_program(), "--run-dir", b.run_dir(), "exec", "web", "--holder", "server",
                  "--", "python3", "-c", server_code},
                 &nodes.b);
  REQUIRE(server.wait_for_text("listening"));
  const CommandResult client =
      a.run({"exec", "web", "--holder", "client", "--", "python3", "-c", client_code});
  CAPTURE(client.err);
  CHECK(client.out == "web 10.1.0.50\n");
  CHECK(server.finish().exit_code == 0);

  a.json({"remove-peer", "--from", dir.file("b.json")});
  a.json({"remove-peer", "--tenant", "acme", "--vtep", "192.0.2.2"}, 3);
  a.json({"delete-pool", "web", "--force"});
  b.json({"delete-pool", "web", "--force"});
}

TEST_CASE("cli: add-peer --from compares VNI and MTU, and --tenant overrides the file's") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.100"));
  const auto add = [&](const Json& pool, int exit_code, const Words& more = {}) {
    std::ofstream(dir.file("peer.json")) << pool;
    Words words = {"add-peer", "--from", dir.file("peer.json")};
    words.insert(words.end(), more.begin(), more.end());
    return a.json(words, exit_code);
  };
  Json pool = {{"tenant", "acme"},           {"vni", 100},  {"vtep", "192.0.2.2"},
               {"mac", "02:00:00:00:00:09"}, {"mtu", 1400}, {"prefixes", {"10.1.0.128/25"}}};
  CHECK(contains(add(pool, 0)["warnings"][0], "MTU 1400 there, 1450"));
  pool["vni"] = 101;
  CHECK(contains(add(pool, 4)["error"]["message"], "VNI is 101, tenant acme has 100 here"));
  pool["vni"] = 100;
  pool["tenant"] = "other";
  add(pool, 3);
  pool["vtep"] = "192.0.2.3";
  pool["mac"] = "02:00:00:00:00:0a";
  pool["prefixes"] = {"10.2.0.0/24"};
  CHECK(add(pool, 0, {"--tenant", "acme"})["peer"]["tenant"] == "acme");
  a.json({"delete-pool", "web"});
}

TEST_CASE("cli: exec enters the pool's namespace and ends as the command does") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.20"));
  CHECK(contains(a.run({"exec", "web", "--", "ip", "-o", "-4", "addr"}).out, "10.1.0.1"));
  CHECK(a.run({"exec", "web", "--", "sh", "-c", "exit 42"}).exit_code == 42);
  CHECK(a.run({"exec", "web", "--", "sh", "-c", "echo $PARTICLE_POOL --json"}).out ==
        "web --json\n");
  CHECK(a.run({"exec", "web", "--", "/no/such/command"}).exit_code == 127);
  CHECK(a.run({"exec", "web", "--", "/etc/passwd"}).exit_code == 126);
  CHECK(a.run({"exec", "none", "--", "true"}).exit_code == 3);
  CHECK(a.run({"exec", "web", "--holder", "c1", "--", "true"}).exit_code == 3);
  a.run({"lease", "web", "--holder", "c1", "--ip", "10.1.0.9"});
  CHECK(a.run({"exec", "web", "--holder", "c1", "--", "printenv", "PARTICLE_IP"}).out ==
        "10.1.0.9\n");
  a.json({"delete-pool", "web", "--force"});
}

TEST_CASE("cli: with isolation container, exec --holder enters the lease's own namespace") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.20", {"--isolation", "container"}));
  const Json lease = a.json({"lease", "web", "--holder", "c1"})["leases"][0];
  const std::string inode = "readlink /proc/self/ns/net";
  const std::string pool_ns = a.run({"exec", "web", "--", "sh", "-c", inode}).out;
  const CommandResult own =
      a.run({"exec", "web", "--holder", "c1", "--", "sh", "-c", inode + "; ip -o -4 addr"});
  CAPTURE(own.err);
  CHECK(own.exit_code == 0);
  CHECK_FALSE(own.out.starts_with(pool_ns));
  CHECK(contains(own.out, lease["v4"].get<std::string>()));
  a.json({"delete-pool", "web", "--force"});
}

TEST_CASE("cli: exec --holder finds the lease's own namespace from a mount namespace of its own") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.20", {"--isolation", "container"}));
  const auto alone = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"unshare", "--mount", "--propagation", "private",
                                 particle_program(), "--run-dir", dir.file("a")});
    return run_command(words, &nodes.a);
  };
  CHECK(alone({"lease", "web", "--holder", "c1", "--ip", "10.1.0.9"}).exit_code == 0);
  const CommandResult own =
      alone({"exec", "web", "--holder", "c1", "--", "ip", "-o", "-4", "addr"});
  CHECK_MESSAGE(own.exit_code == 0, own.err);
  CHECK(contains(own.out, "10.1.0.9"));
  a.json({"delete-pool", "web", "--force"});
}

TEST_CASE("cli: lease waits for cooling endpoints by default, not with --wait 0") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.1", {"--cooldown", "0.5"}));
  a.run({"lease", "web", "--holder", "c1"});
  CHECK(a.run({"lease", "web", "--holder", "c2", "--wait", "0"}).exit_code == 8);
  a.run({"release", "web", "--holder", "c1"});
  CHECK(a.run({"lease", "web", "--holder", "c2", "--wait", "0"}).exit_code == 7);
  CHECK(a.run({"lease", "web", "--holder", "c2"}).out == "10.1.0.1\n");
  a.json({"delete-pool", "web", "--force"});
}

TEST_CASE("cli: a lease whose address could not be printed is given back") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.20"));
  const CommandResult lost =
      run_command({"sh", "-c", "exec \"$0\" --run-dir \"$1\" lease web --holder c1 > /dev/full",
                   particle_program(), a.run_dir()},
                  &nodes.a);
  CHECK(lost.exit_code == 8);
  CHECK(a.json({"list-leases"})["leases"].empty());
  a.json({"delete-pool", "web"});
}

TEST_CASE(
    "cli: an interrupt after any step of create rolls back, a kill is made good by the same "
    "command") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  const std::string links = links_of(nodes.a);
  const Words words = create("10.1.0.1-10.1.0.20");
  Words dry = words;
  dry.emplace_back("--dry-run");
  const std::size_t steps = a.json(dry)["steps"].size();
  REQUIRE(steps > 4);
  for (std::size_t step = 1; step < steps; ++step) {
    CAPTURE(step);
    const CommandResult stopped =
        a.run(words, {"PARTICLE_STOP_AFTER_STEP=" + std::to_string(step)});
    CAPTURE(stopped.err);
    CHECK(stopped.exit_code == 130);
    CHECK(links_of(nodes.a) == links);
    CHECK(a.json({"list-pools"})["pools"].empty());
  }
  for (std::size_t step = 1; step <= steps; ++step) {
    CAPTURE(step);
    CHECK(a.run(words, {"PARTICLE_CRASH_AFTER_STEP=" + std::to_string(step)}).exit_code ==
          128 + SIGKILL);
    CHECK(a.run(words).exit_code == 0);
    CHECK(a.json({"show-pool", "web"})["health"] == "ready");
    a.json({"delete-pool", "web"});
    CHECK(links_of(nodes.a) == links);
  }
}

TEST_CASE("cli: without privileges the error names the permission, as code 5") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const CommandResult result = run_command(
      {"setpriv", "--inh-caps=-all", "--bounding-set=-all", "--ambient-caps=-all",
       particle_program(), "--run-dir", dir.file("a"), "create-pool", "web", "--tenant", "acme",
       "--vni", "100", "--prefix", "10.1.0.0/24", "--underlay-dev", kUnderlayDevice},
      &nodes.a);
  CAPTURE(result.err);
  CHECK(result.exit_code == 5);
  CHECK(contains(result.err, "hint: "));
}

TEST_CASE("cli: doctor's verdict and its exit code agree") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const CommandResult result = run_particle({"--json", "doctor", "--run-dir", dir.path()});
  const Json report = parse_output(result);
  CHECK(schema_violations(report, "doctor") == Words{});
  CHECK(result.exit_code == (report["can_create_pools"] == true ? 0 : 6));
  const CommandResult text = run_particle({"doctor", "--run-dir", dir.path()});
  CHECK(contains(text.out, result.exit_code == 0 ? "can work here" : "cannot work here"));
}

TEST_CASE("cli: gc --alive releases the leases of containers that are gone") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.20"));
  a.run({"lease", "web", "--holder", "c1"});
  a.run({"lease", "web", "--holder", "c2"});
  std::ofstream(dir.file("alive")) << "c2\nc9\n";
  CHECK(a.json({"gc", "--dry-run", "--alive", dir.file("alive")})["findings"].size() == 1);
  CHECK(a.json({"gc", "--alive", dir.file("alive")})["findings"][0]["action"] == "released");
  CHECK(a.json({"list-leases"})["leases"][0]["holder"] == "c2");
  a.json({"delete-pool", "web", "--force"});
}

TEST_CASE("completion: bash completes the names of pools, tenants and holders") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const TwoNodes nodes = make_two_nodes();
  const NodeShell a(nodes.a, dir.file("a"));
  a.json(create("10.1.0.1-10.1.0.20"));
  a.run({"lease", "web", "--holder", "c1"});
  const auto complete = [&](const std::string& line) {
    return run_command(
               {"env", "PARTICLE_RUN_DIR=" + a.run_dir(), "bash", "--norc", "-c",
                "source <(\"$0\" completion bash); COMP_WORDS=(\"$0\" " + line +
                    "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _particle; echo \"${COMPREPLY[@]}\"",
                particle_program()},
               &nodes.a)
        .out;
  };
  CHECK(complete("show-pool w") == "web\n");
  CHECK(complete("show-pool web ''") == "\n");
  CHECK(complete("--run-dir /nowhere show-pool w") == "\n");
  CHECK(complete("--run-dir " + a.run_dir() + " lease ''") == "web\n");
  CHECK(complete("list-pools --tenant ''") == "acme\n");
  CHECK(complete("release web --holder ''") == "c1\n");
  a.json({"delete-pool", "web", "--force"});
}

}  // namespace particle::test
