// SPDX-License-Identifier: Apache-2.0
// Who may reach an agent over TCP: real agents, and scanners of all kinds.
#include <filesystem>
#include <fstream>

#include <sys/socket.h>

#include <particle_fleet/client.hpp>

#include "agent_scene.hpp"
#include "wire/address.hpp"

using namespace particle;
using namespace particle::test;
using Json = nlohmann::json;

namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

/// A TCP connection from a node to another's agent.
UniqueFd dial(const FleetScene& scene, std::size_t from, std::size_t to) {
  UniqueFd out;
  must(scene.netns(from).run([&]() -> Result<void> {
    out = must(fleet::connect_tcp(must(fleet::TcpAddress::parse(FleetScene::address_of(to))), 2s));
    return {};
  }));
  return out;
}

/// Until the other side closes; false when it does not within 10 s.
bool is_closed(const UniqueFd& fd) {
  const timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  char piece[4096];
  ssize_t n = 0;
  while ((n = ::recv(fd.get(), piece, sizeof piece, 0)) > 0) {
  }
  return n == 0 || errno == ECONNRESET;
}

std::map<std::string, std::string> problems(const FleetScene& scene, std::size_t node) {
  const CommandResult result =
      scene.fleet(node, {"nodes", "--json", "--pool", "job", "--agent", scene.socket(node)});
  std::map<std::string, std::string> out;
  for (const Json& one : Json::parse(result.out)) {
    out[one["name"]] = one["alive"] == true ? "alive" : one["problem"].get<std::string>();
  }
  return out;
}

}  // namespace

TEST_CASE("fleet security: agents with another secret, another cluster or none are refused") {
  if (!need_root()) return;
  FleetScene scene(4);
  scene.secure(1, {"--secret-file", make_secret(scene.file("other.secret"), 'b')});
  scene.secure(2, {"--secret-file", scene.file("fleet.secret"), "--cluster", "elsewhere"});
  scene.secure(3, {"--no-authentication"});
  scene.start_agents();
  auto seen = problems(scene, 0);
  CHECK(seen["n1"] == "alive");
  CHECK(holds(seen["n2"], "the agent there has another secret"));
  CHECK(holds(seen["n3"], "another name or is of another cluster"));
  CHECK(holds(seen["n4"], "it does not speak TLS"));
  // The other way round: each refuses what it cannot check.
  CHECK(holds(problems(scene, 1)["n1"], "the agent there has another secret"));
  CHECK(problems(scene, 3)["n1"] != "alive");
  // A job goes over those that may take part, and nothing ran elsewhere.
  const Json result = scene.run(0, {"--count", "4", "--", "true"});
  CHECK(result["ok"] == 4);
  CHECK(result["by_node"] == Json{{"n1", 4}});
  scene.agent(1).signal(SIGTERM);
  CHECK(scene.agent(1).wait_for_text("it has another secret than this agent"));
  scene.agent(2).signal(SIGTERM);
  CHECK(scene.agent(2).wait_for_text("it is of cluster default, this agent of elsewhere"));
  scene.agent(3).signal(SIGTERM);
  CHECK(scene.agent(3).wait_for_text("no authentication: whoever reaches"));
}

TEST_CASE("fleet security: scanners are refused, logged once, and hold up nobody") {
  if (!need_root()) return;
  FleetScene scene(3);
  scene.start_agents();
  // n3's agent is what they come to; they come from n2. First those who say nothing.
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(dial(scene, 1, 2));
  for (const std::string& garbage :
       {std::string("{\"id\":1,\"do\":\"jobs\"}\n"), std::string("GET / HTTP/1.0\r\n\r\n"),
        std::string(100'000, '\xff'), std::string("\x16\x03\x01", 3)}) {
    for (int i = 0; i < 5; ++i) {
      const UniqueFd fd = dial(scene, 1, 2);
      static_cast<void>(::send(fd.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL));
      if (garbage.size() > 3) CHECK(is_closed(fd));
    }
  }
  const auto before = std::chrono::steady_clock::now();
  CHECK(problems(scene, 0)["n3"] == "alive");
  CHECK(scene.run(0, {"--count", "6", "--", "true"})["by_node"]["n3"] == 2);
  CHECK(std::chrono::steady_clock::now() - before < 4s);
  for (const UniqueFd& fd : silent) CHECK(is_closed(fd));
  scene.agent(2).signal(SIGTERM);
  const CommandResult ended = scene.agent(2).finish(20s);
  CAPTURE(ended.err);
  CHECK(ended.exit_code == 0);
  CHECK(count_of(ended.err, "a connection from 192.0.2.2 was refused") >= 2);
  CHECK(count_of(ended.err, "was refused") <= 10);
  CHECK(count_of(ended.err, "it has not proved who it is within 5 seconds") <= 1);
  CHECK(holds(ended.err, "it does not speak what agents speak"));
  scene.forget_agent(2);
}

TEST_CASE(
    "fleet security: nothing of a command, its input and output is on the wire in the clear") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  const std::string file = scene.file("wire.pcap");
  Command capture(
      {"tcpdump", "-i", kUnderlayDevice, "-U", "--immediate-mode", "-s", "0", "-w", file, "tcp"},
      &scene.netns(1));
  REQUIRE(capture.wait_for_text("listening on"));
  std::ofstream(scene.file("input")) << "the-secret-input\n";
  const Json result =
      scene.run(0, {"--count", "2", "--input", scene.file("input"), "--", "sh", "-c",
                    "read line; echo the-secret-output-$line; echo the-secret-complaint >&2"});
  CHECK(result["by_node"] == Json{{"n1", 1}, {"n2", 1}});
  CHECK(result["instances"][1]["output"] == "the-secret-output-the-secret-input\n");
  ::usleep(200'000);
  capture.signal(SIGINT);
  capture.finish();
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  CHECK(bytes.size() > 2000);
  CHECK(holds(bytes, "particle-fleet/1"));  // the capture has the agents' hello
  for (const char* text : {"the-secret", "\"do\"", "command", "base64",
                           "dGhlLXNlY3JldC1pbnB1dA"}) {  // "the-secret-input"
    CAPTURE(text);
    CHECK(bytes.find(text) == std::string::npos);
  }
}

TEST_CASE("fleet security: a secret that is none, and none at all, are refused with what to do") {
  if (!need_root()) return;
  FleetScene scene(1);
  const std::string address = FleetScene::address_of(0);
  const std::string good = scene.file("fleet.secret");
  std::ofstream(scene.file("weak")) << "hunter2\n";
  std::filesystem::permissions(scene.file("weak"), std::filesystem::perms::owner_read);
  std::ofstream(scene.file("open")) << std::string(64, '1');
  struct Case {
    std::vector<std::string> words;
    int code;
    const char* text;
  };
  const Case cases[] = {
      {{"--listen", address}, 2, "openssl rand -hex 32"},
      {{"--listen", address, "--peer", "n2=192.0.2.2:4790"}, 2, "--no-authentication"},
      {{"--listen", address, "--secret-file", scene.file("weak")}, 2, "too short"},
      {{"--listen", address, "--secret-file", scene.file("open")}, 2, "may be read by others"},
      {{"--listen", address, "--secret-file", "/nowhere"}, 3, "/nowhere"},
      {{"--listen", address, "--secret-file", good, "--no-authentication"}, 2, "choose one"},
      {{"--secret-file", good}, 2, "--secret-file without --listen"},
      {{"--no-authentication"}, 2, "--no-authentication without --listen"},
      {{"--listen", address, "--secret-file", good, "--cluster", "a/b"}, 2, "cluster"},
  };
  for (const Case& one : cases) {
    std::vector<std::string> words = {"agent", "--socket", scene.socket(0)};
    words.insert(words.end(), one.words.begin(), one.words.end());
    const CommandResult result = scene.fleet(0, words);
    CAPTURE(one.text);
    CAPTURE(result.err);
    CHECK(result.exit_code == one.code);
    CHECK(holds(result.err, one.text));
  }
  CHECK_FALSE(std::filesystem::exists(scene.socket(0)));
}

TEST_CASE("fleet security: without authentication, where it was asked for, agents work as before") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.secure_all({"--no-authentication"});
  scene.start_agents();
  CHECK(scene.run(0, {"--count", "4", "--", "true"})["by_node"] == Json{{"n1", 2}, {"n2", 2}});
  CHECK(scene.agent(0).wait_for_text("<4>no authentication: whoever reaches 192.0.2.1:4790"));
}
