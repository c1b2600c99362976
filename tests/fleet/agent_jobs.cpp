// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <set>

#include <sys/socket.h>

#include <particle_fleet/client.hpp>

#include "agent_scene.hpp"
#include "e2e/cli_program.hpp"
#include "wire/address.hpp"

using namespace particle;
using namespace particle::test;
using Json = nlohmann::json;

namespace {

std::string all_text(const CommandResult& result) {
  return result.out + result.err;
}

/// Sends a line to an agent and returns everything until it closes the connection or answers.
std::string talk(const std::string& socket, const std::string& line) {
  auto fd = must(fleet::connect_unix(socket));
  REQUIRE(::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(line.size()));
  ::shutdown(fd.get(), SHUT_WR);
  std::string answer;
  char piece[4096];
  for (ssize_t n = 0; (n = ::recv(fd.get(), piece, sizeof piece, 0)) > 0;) {
    answer.append(piece, static_cast<std::size_t>(n));
  }
  return answer;
}

}  // namespace

TEST_CASE("fleet run: without an agent the instances run on this node") {
  if (!need_root()) return;
  const FleetScene scene(1);
  Json result = scene.run(0, {"--count", "8", "--", "sh", "-c", "echo $PARTICLE_IP"});
  CAPTURE(result.dump());
  CHECK(result["exit_code"] == 0);
  result.erase("exit_code");
  CHECK(schema_violations(result, "fleet-run") == std::vector<std::string>{});
  CHECK(result["ok"] == 8);
  std::set<std::string> addresses;
  for (const Json& one : result["instances"]) addresses.insert(one["output"]);
  CHECK(addresses.size() == 8);
}

TEST_CASE("fleet run: a thousand instances of one job all end well") {
  if (!need_root()) return;
  const FleetScene scene(1, 1000);
  const Json result = scene.run(0, {"--count", "1000", "--timeline", scene.file("t.svg"),
                                    "--events", scene.file("e.jsonl"), "--", "true"});
  CHECK(result["ok"] == 1000);
  CHECK(result["exit_code"] == 0);
  MESSAGE("1000 instances: " << result["total_ms"] << " ms; "
                             << result["request_to_running_ms"].dump());
  std::ifstream events(scene.file("e.jsonl"));
  std::size_t done = 0;
  for (std::string line; std::getline(events, line);) {
    const auto event = must(fleet::parse_event(line));
    CHECK(schema_violations(Json::parse(line), "fleet-event").empty());
    done += event.phase == fleet::Phase::done ? 1U : 0U;
  }
  CHECK(done == 1000);
  std::ifstream picture(scene.file("t.svg"));
  const std::string svg{std::istreambuf_iterator<char>(picture), {}};
  CHECK(svg.find("1000 instances") != std::string::npos);
}

TEST_CASE("fleet agents: a job runs on every node and each instance has an address of its own") {
  if (!need_root()) return;
  FleetScene scene(3);
  scene.start_agents();
  const Json result = scene.run(1, {"--count", "12", "--", "sh", "-c", "echo $PARTICLE_IP"});
  CAPTURE(result.dump());
  CHECK(result["ok"] == 12);
  CHECK(result["by_node"] == Json{{"n1", 4}, {"n2", 4}, {"n3", 4}});
  std::set<std::string> addresses;
  for (const Json& one : result["instances"]) addresses.insert(one["output"]);
  CHECK(addresses.size() == 12);
  const CommandResult nodes =
      scene.fleet(0, {"nodes", "--json", "--pool", "job", "--agent", scene.socket(0)});
  const Json list = Json::parse(nodes.out);
  REQUIRE(list.size() == 3);
  CHECK(schema_violations(list, "fleet-nodes") == std::vector<std::string>{});
  for (const Json& node : list) {
    CHECK(node["alive"] == true);
    CHECK(node["problem"] == "");
  }
}

TEST_CASE("fleet agents: more instances than endpoints wait and run in their turn") {
  if (!need_root()) return;
  FleetScene scene(2, 2);
  scene.start_agents();
  const Json result =
      scene.run(0, {"--count", "20", "--events", scene.file("e.jsonl"), "--", "true"});
  CAPTURE(result.dump());
  CHECK(result["ok"] == 20);
  std::ifstream events(scene.file("e.jsonl"));
  const std::string text{std::istreambuf_iterator<char>(events), {}};
  CHECK(text.find("waits for a free endpoint of pool job") != std::string::npos);
}

TEST_CASE("fleet agents: an agent killed -9 loses its instances to another node") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  auto words =
      scene.run_arguments({"--json", "--agent", scene.socket(0), "--id", "survivor", "--retries",
                           "1", "--count", "4", "--", "sh", "-c", "sleep 3; echo done"});
  Command client(scene.command(words), &scene.netns(0));
  REQUIRE(eventually([&] { return scene.node(1).leases()->size() == 2; }));
  scene.kill_agent(1);
  const CommandResult result = client.finish();
  CAPTURE(all_text(result));
  const Json json = Json::parse(result.out);
  CHECK(json["ok"] == 4);
  CHECK(json["tried_again"] == 2);
  CHECK(json["by_node"] == Json{{"n1", 4}});
  CHECK(result.exit_code == 0);
  // What the killed agent left is ended by the next one.
  scene.start_agent(1);
  CHECK(eventually([&] { return scene.leased() == 0; }));
}

TEST_CASE("fleet agents: without retries the loss of a node is a clear failure") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  Command client(scene.command(scene.run_arguments(
                     {"--agent", scene.socket(0), "--count", "2", "--", "sleep", "2"})),
                 &scene.netns(0));
  REQUIRE(eventually([&] { return scene.node(1).leases()->size() == 1; }));
  scene.kill_agent(1);
  const CommandResult result = client.finish();
  CAPTURE(result.err);
  CHECK(result.exit_code == 1);
  CHECK(result.err.find("1 ok, 1 lost") != std::string::npos);
  CHECK(result.err.find("on node n2 was lost with its node") != std::string::npos);
  scene.start_agent(1);
}

TEST_CASE("fleet agents: a node that is cut off is noticed and its instances run elsewhere") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  // The pulled cable cuts the agents' connection and nothing says so.
  Command client(
      scene.command(scene.run_arguments({"--json", "--agent", scene.socket(0), "--retries", "1",
                                         "--count", "2", "--", "sleep", "4"})),
      &scene.netns(0));
  REQUIRE(eventually([&] { return scene.node(1).leases()->size() == 1; }));
  // The underlay of the scene is a bridge: node 1's port goes down.
  REQUIRE(run_command({"ip", "link", "set", kUnderlayDevice, "down"}, &scene.netns(1)).exit_code ==
          0);
  const CommandResult result = client.finish();
  CAPTURE(all_text(result));
  const Json json = Json::parse(result.out);
  CHECK(json["ok"] == 2);
  CHECK(json["by_node"] == Json{{"n1", 2}});
  REQUIRE(run_command({"ip", "link", "set", kUnderlayDevice, "up"}, &scene.netns(1)).exit_code ==
          0);
  CHECK(eventually([&] { return scene.leased() == 0; }));
}

TEST_CASE("fleet agents: Ctrl-C and the death of a client end its job everywhere") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  for (const int signal : {SIGINT, SIGKILL}) {
    Command client(scene.command(scene.run_arguments(
                       {"--agent", scene.socket(0), "--count", "6", "--", "sleep", "100"})),
                   &scene.netns(0));
    REQUIRE(eventually([&] { return scene.leased() == 6; }));
    client.signal(signal);
    CHECK(client.finish().exit_code == (signal == SIGINT ? 130 : 128 + SIGKILL));
    CHECK(eventually([&] { return scene.leased() == 0; }));
  }
}

TEST_CASE("fleet run: Ctrl-C without an agent leaves nothing") {
  if (!need_root()) return;
  const FleetScene scene(1);
  Command client(
      scene.command(scene.run_arguments({"--here", "--count", "6", "--", "sleep", "100"})),
      &scene.netns(0));
  REQUIRE(eventually([&] { return scene.leased() == 6; }));
  client.signal(SIGINT);
  CHECK(client.finish().exit_code == 130);
  CHECK(scene.leased() == 0);
}

TEST_CASE("fleet agents: ps and logs and kill") {
  if (!need_root()) return;
  FleetScene scene(1);
  scene.start_agents();
  const std::string socket = scene.socket(0);
  Command client(
      scene.command(scene.run_arguments({"--agent", socket, "--id", "talker", "--count", "2", "--",
                                         "sh", "-c", "echo hello from $PARTICLE_IP; sleep 100"})),
      &scene.netns(0));
  REQUIRE(client.wait_for_text("hello from"));
  const Json jobs = Json::parse(scene.fleet(0, {"ps", "--json", "--agent", socket}).out);
  REQUIRE(jobs.size() == 1);
  CHECK(schema_violations(jobs, "fleet-ps") == std::vector<std::string>{});
  CHECK(jobs[0]["id"] == "talker");
  CHECK(jobs[0]["running"] == 2);
  CHECK(jobs[0]["finished"] == false);
  CHECK(scene.fleet(0, {"kill", "talker", "--agent", socket}).exit_code == 0);
  const CommandResult ended = client.finish(10s);
  CHECK(ended.exit_code == 1);
  CHECK(ended.err.find("2 killed") != std::string::npos);
  const CommandResult logs = scene.fleet(0, {"logs", "talker", "--agent", socket});
  CHECK(logs.out.find("hello from 10.50.") != std::string::npos);
  const CommandResult one =
      scene.fleet(0, {"logs", "talker", "--events", "--instance", "1", "--agent", socket});
  CHECK(one.out.find("\"phase\":\"done\"") != std::string::npos);
  CHECK(one.out.find("\"instance\":0") == std::string::npos);
  CHECK(scene.fleet(0, {"ps", "--agent", socket}).out.find("ended") != std::string::npos);
  CHECK(scene.fleet(0, {"kill", "nobody", "--agent", socket}).exit_code == 3);
  CHECK(scene.fleet(0, {"logs", "nobody", "--agent", socket}).exit_code == 3);
}

TEST_CASE("fleet run: inputs reach the instances and outputs are marked with their number") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  std::ofstream(scene.file("inputs")) << "alpha\nbeta\ngamma\n";
  const CommandResult result =
      scene.fleet(0, scene.run_arguments({"--agent", scene.socket(0), "--inputs",
                                          scene.file("inputs"), "--", "cat"}));
  CAPTURE(result.err);
  CHECK(result.exit_code == 0);
  for (const char* line : {"[0] alpha\n", "[1] beta\n", "[2] gamma\n"}) {
    CHECK(result.out.find(line) != std::string::npos);
  }
}

TEST_CASE("fleet run: bad input is refused before anything starts") {
  if (!need_root()) return;
  FleetScene scene(1);
  struct Case {
    std::vector<std::string> arguments;
    int code;
    const char* text;
  };
  const Case cases[] = {
      {{"run", "--", "true"}, 2, "--pool is missing"},
      {{"run", "--pool", "job"}, 2, "no command is given"},
      {{"run", "--pool", "no", "--", "true"}, 3, "no"},
      {{"run", "--pool", "job", "--image", "/nowhere", "--", "true"}, 3, "/nowhere"},
      {{"run", "--pool", "job", "--image", "relative", "--", "true"}, 2, "absolute"},
      {{"run", "--pool", "job", "--count", "0", "--memory", "lots", "--cpus", "x", "--timeout",
        "1y", "--", "true"},
       2,
       "4 problems"},
      {{"run", "--pool", "job", "--input", "/nowhere", "--", "true"}, 3, "/nowhere"},
      {{"run", "--pool", "job", "--events", "/nowhere/x", "--", "true"}, 3, "/nowhere/x"},
      {{"run", "--pool", "job", "--agent", "/nowhere", "--", "true"}, 3, "no agent listens"},
      {{"run", "--pool", "job", "--place", "best", "--", "true"}, 2, "round-robin or most-free"},
      {{"ps"}, 3, "no agent listens"},
      {{"agent", "--peer", "n2"}, 2, "NAME=IP:PORT"},
      {{"agent", "--listen", "0.0.0.0:4790", "--no-authentication"},
       2,
       "name the node's own address"},
      {{"dance"}, 2, "unknown verb 'fleet dance'"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    const CommandResult result = scene.fleet(0, one.arguments);
    CAPTURE(all_text(result));
    CHECK(result.exit_code == one.code);
    CHECK(all_text(result).find(one.text) != std::string::npos);
  }
  // A command that the image lacks is known when it is to be run.
  const CommandResult missing =
      scene.fleet(0, scene.run_arguments({"--count", "2", "--", "no-such-program"}));
  CAPTURE(missing.err);
  CHECK(missing.exit_code == 1);
  CHECK(missing.err.find("2 refused") != std::string::npos);
}

TEST_CASE("fleet agents: hostile lines are answered with an error and harm nobody") {
  if (!need_root()) return;
  FleetScene scene(1);
  scene.start_agents();
  const std::pair<std::string, const char*> lines[] = {
      {"hello\n", "not JSON"},
      {"[1,2]\n", "`id`"},
      {"{\"do\":\"jobs\"}\n", "`id`"},
      {R"({"id":1,"do":"dance"})"
       "\n",
       "is not known"},
      {R"({"id":1,"do":7})"
       "\n",
       "do: a string"},
      {R"({"id":1,"do":"start","spec":[],"scope":"moon"})"
       "\n",
       "fleet or node"},
      {R"({"id":1,"do":"add","job":"nobody","instances":[]})"
       "\n",
       "job nobody of this connection"},
      {R"({"id":1,"do":"jobs","extra":1})"
       "\n",
       "unknown key"},
      {std::string(200'000, '[') + "\n", "not JSON"},
      {"{\"id\":1", "cut off"},
      {std::string("\0\n", 2), "not JSON"},
  };
  for (const auto& [line, expected] : lines) {
    CAPTURE(line.substr(0, 60));
    const std::string answer = talk(scene.socket(0), line);
    CAPTURE(answer);
    CHECK(answer.find(expected) != std::string::npos);
  }
  const Json result = scene.run(0, {"--count", "2", "--", "true"});
  CHECK(result["ok"] == 2);
}

TEST_CASE("fleet agents: a second agent on the same socket is refused") {
  if (!need_root()) return;
  FleetScene scene(1);
  scene.start_agents();
  const CommandResult second =
      scene.fleet(0, {"agent", "--name", "again", "--socket", scene.socket(0)});
  CHECK(second.exit_code == 4);
  CHECK(second.err.find("an agent listens at") != std::string::npos);
}

TEST_CASE("fleet run: a file of stages runs over the nodes and its faults are named at once") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  const auto stage = [&](const char* name, const char* line) {
    return Json{{"name", name},
                {"function", {{"image", scene.image()}, {"command", {"sh", "-c", line}}}}};
  };
  Json squares = stage("squares", "read n; echo $((n * n))");
  squares["inputs"] = {"3\n", "4\n"};
  Json total = stage("total", "s=0; while read n; do s=$((s + n)); done; echo $s");
  total["after"] = {"squares"};
  total["delivery"] = "all";
  Json dag = {{"id", "sum"}, {"pool", "job"}, {"stages", {squares, total}}};
  std::ofstream(scene.file("job.json")) << dag.dump();
  const CommandResult sum = scene.fleet(0, {"run", "--job", scene.file("job.json"), "--agent",
                                            scene.socket(0), "--timeline", scene.file("t.svg")});
  CAPTURE(all_text(sum));
  CHECK(sum.exit_code == 0);
  CHECK(sum.out == "25\n");
  const CommandResult again =
      scene.fleet(0, {"run", "--json", "--here", "--job", scene.file("job.json")});
  INFO(all_text(again));
  REQUIRE(again.exit_code == 0);
  const Json here = Json::parse(again.out);
  CHECK(here["stages"][1]["instances"][0]["output"] == "25\n");

  dag["stages"][0]["after"] = {"total", "nowhere"};
  dag["stages"][1]["function"]["command"] = Json::array();
  std::ofstream(scene.file("bad.json")) << dag.dump();
  const CommandResult bad = scene.fleet(0, {"run", "--job", scene.file("bad.json")});
  CHECK(bad.exit_code == 2);
  for (const char* fault : {"no such stage", "each waits for the others", "command: missing"}) {
    CAPTURE(bad.err);
    CHECK(bad.err.find(fault) != std::string::npos);
  }
  std::ofstream(scene.file("worse.json")) << "{\"id\": 1";
  CHECK(scene.fleet(0, {"run", "--job", scene.file("worse.json")}).err.find("not JSON") !=
        std::string::npos);
  CHECK(scene.fleet(0, {"run", "--job", scene.file("job.json"), "--count", "2"}).exit_code == 2);
}

TEST_CASE("fleet run: Ctrl-C ends a job of stages and leaves nothing") {
  if (!need_root()) return;
  FleetScene scene(1);
  const Json dag = {{"id", "long"},
                    {"pool", "job"},
                    {"stages",
                     {{{"name", "sleep"},
                       {"count", 3},
                       {"function", {{"image", scene.image()}, {"command", {"sleep", "100"}}}}}}}};
  std::ofstream(scene.file("job.json")) << dag.dump();
  Command client(scene.command({"run", "--here", "--job", scene.file("job.json")}),
                 &scene.netns(0));
  REQUIRE(eventually([&] { return scene.leased() == 3; }));
  client.signal(SIGINT);
  CHECK(client.finish().exit_code == 130);
  CHECK(scene.leased() == 0);
}
