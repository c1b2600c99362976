// SPDX-License-Identifier: Apache-2.0
// Overlay weave against an answer that was written down (tests/golden/weave), not against a live Weave.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "netns/pool_scene.hpp"
#include "overlay-adapters/adapter.hpp"
#include "overlay-adapters/reconcile.hpp"
#include "overlay-adapters/weave/report.hpp"
#include "overlay-adapters/weave/weave_adapter.hpp"
#include "overlay/etcd_cluster.hpp"
#include "runtime/components.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

std::string recorded() {
  return read_text(std::string(PARTICLE_TEST_SOURCE_DIR) + "/golden/weave/report.json");
}

/// Answers GET /report, when JSON is asked for, with what the file says at the moment.
constexpr const char* kServer = R"(
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == '/report' and self.headers.get('Accept') == 'application/json'
        body = open(sys.argv[1], 'rb').read() if known else b'404 page not found'
        self.send_response(200 if known else 404)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(('127.0.0.1', 6784), Answer)
print('ready', flush=True)
server.serve_forever()
)";

}  // namespace

TEST_CASE("overlay weave: the router's report names the nodes and who has which addresses") {
  const auto report = must(overlay::weave::parse_report(recorded()));
  CHECK(report.own == "02:00:00:00:0a:01");
  REQUIRE(report.connected.size() == 1);
  CHECK(report.connected.at("02:00:00:00:0a:02") == ip("192.0.2.2"));
  REQUIRE(report.shares.size() == 3);
  CHECK(report.shares[1].nickname == "b");
  CHECK(report.shares[1].range.to_string() == "10.32.1.0-10.32.2.127");
  for (
      const char* bad :
      {"", "[]", "{}", R"({"Router": {}})", R"({"Router": {"Name": "x"}})",
       R"({"Router": {"Name": "x"}, "IPAM": {"Entries": [{}]}})",
       R"({"Router": {"Name": "x"}, "IPAM": {"Entries": [{"Token": "255.255.255.255", "Size": 2, "Peer": "y"}]}})"}) {
    CAPTURE(bad);
    CHECK_FALSE(overlay::weave::parse_report(bad));
  }
}

TEST_CASE("overlay weave: peers are entered as the recorded router has them, and packets flow") {
  if (!need_namespaces()) return;
  const Scene scene;
  run_ok({"ip", "link", "set", "lo", "up"}, scene.nodes.a);
  const std::string file = scene.dir.file("report.json");
  write_text(file, recorded());
  PoolSpec spec_a = pool_spec("a", "acme", 7851, {"10.32.0.0/24"});
  PoolSpec spec_b = pool_spec("b", "acme", 7851, {"10.32.0.0/22 10.32.1.0-10.32.2.127"});
  spec_a.underlay.address = ip("192.0.2.1");
  spec_b.underlay.address = ip("192.0.2.2");
  const PoolInfo a = make_pool(scene.a, spec_a);
  const PoolInfo b = make_pool(scene.b, spec_b);
  // The adapter knows the MAC of a node's first pool from its address.
  CHECK(b.mac == overlay::weave_peer_mac("acme", ip("192.0.2.2")));
  must(scene.b.add_peer(as_peer(a)));

  Command server({"python3", "-c", kServer, file}, &scene.nodes.a);
  REQUIRE(server.wait_for_text("ready"));
  std::unique_ptr<overlay::Adapter> adapter;
  must(scene.nodes.a.run([&]() -> Result<void> {
    auto made = overlay::make_adapter(
        "weave", {.node = "a", .node_id = "x", .settings = {{"weave-tenant", "acme"}}});
    if (!made) return fail(std::move(made.error()));
    adapter = *std::move(made);
    return {};
  }));
  must(adapter->attach(overlay::vtep_of(a)));
  must(adapter->announce(overlay::announcement_of("a", a)));
  const auto learnt = [&] {
    const auto view = adapter->view();
    return view && view->announcements.size() == 1;
  };
  REQUIRE(becomes(learnt));
  const auto view = must(adapter->view());
  CHECK_FALSE(view.complete);  // nobody has heard of c yet
  CHECK(view.announcements.front().peer.prefixes == b.routes);
  const auto done = must(overlay::reconcile(scene.a, view, "weave"));
  CHECK(done.errors.empty());
  const TokenServer token(must(scene.b.open_pool_netns("b")), "b");
  const NetNs pool = must(scene.a.open_pool_netns("a"));
  CHECK(
      ask(pool, endpoint(a, Family::v4, 2), endpoint(b, Family::v4, 3), token.port()).has_value());
  const overlay::Health health = adapter->health();
  CHECK(health.state == overlay::HealthState::degraded);
  REQUIRE(health.problems.size() == 1);
  CHECK(health.problems.front().find("peer c") != std::string::npos);

  // A router that is gone, or talks nonsense, takes nothing away.
  write_text(file, "{");
  CHECK(becomes([&] {
    const auto now = adapter->view();
    return now && !now->complete && now->announcements.size() == 1 &&
           adapter->health().problems.front().find("no JSON") != std::string::npos;
  }));
}

TEST_CASE("overlay weave: wrong settings are refused") {
  for (const auto& [name, value] :
       {std::pair{"weave-tenant", "a/b"}, std::pair{"weave-url", "ftp:x"}}) {
    std::map<std::string, std::string> settings{{"weave-tenant", "acme"}};
    settings.insert_or_assign(name, value);
    CHECK_FALSE(
        overlay::make_adapter("weave", {.node = "a", .node_id = "x", .settings = settings}));
  }
  CHECK_FALSE(overlay::make_adapter("weave", {.node = "a", .node_id = "x", .settings = {}}));
}

}  // namespace particle::test
