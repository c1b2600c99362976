// SPDX-License-Identifier: Apache-2.0
// Pipelines whose workers are containers of a pool, on one node and over several.
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include <particle_fleet/client.hpp>
#include <particle_fleet/launcher.hpp>
#include <particle_sprocket/pipeline.hpp>

#include "agent_scene.hpp"
#include "launcher_scene.hpp"
#include "sprocket_bed.hpp"

using namespace particle;
using namespace particle::sprocket;
using namespace particle::test;

namespace {

constexpr const char* kPoolClip = "testsrc2=s=128x72:r=25:d=5.2";

std::vector<std::string> gray(const std::string& in) {
  return SprocketBed::frames({"-i", in, "-vf", "hue=s=0", "-pix_fmt", "yuv420p"});
}

/// `--local` has neither a pool nor an address; here every worker must have one of its own.
std::set<std::string> addresses_of(const std::vector<fleet::Event>& events) {
  std::set<std::string> out;
  for (const fleet::Event& event : events) {
    if (event.phase == fleet::Phase::leased && event.endpoint) {
      out.insert(event.endpoint->to_string());
    }
  }
  return out;
}

}  // namespace

TEST_CASE("sprocket pool: workers pull from each other at their own addresses") {
  const LauncherScene scene(16);
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kPoolClip);
  fleet::Launcher launcher = scene.open();
  auto options = bed.options(in, bed.path("out.mp4"));
  options.job.pool = "job";
  options.capacity = 16;
  std::vector<fleet::Event> events;
  PipelineWatch watch;
  watch.event = [&](const fleet::Event& event) { events.push_back(event); };
  const auto start = [&](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    return launcher.start(job, observer);
  };
  auto summary = run_pipeline(shipped("grayscale"), options, start, watch);
  if (!summary) {
    for (const std::string& detail : summary.error().details) MESSAGE(detail);
  }
  REQUIRE(must(std::move(summary)).frames.at(0) == 130);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mp4")}) == gray(in));
  CHECK(addresses_of(events).size() > 4);
  CHECK(bed.files() == std::vector<std::string>{"in.mp4", "out.mp4"});
}

TEST_CASE("sprocket nodes: each stage on a node of its own over the overlay") {
  FleetScene scene(3);
  scene.start_agents();
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kPoolClip);
  auto client = must(fleet::Client::connect(scene.socket(0)));
  auto options = bed.options(in, bed.path("out.mp4"));
  options.job.pool = "job";
  options.nodes = {"n1", "n2", "n3"};
  const auto start = [&](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    return client.start(job, observer);
  };
  auto summary = run_pipeline(shipped("grayscale"), options, start, {});
  if (!summary) {
    for (const std::string& detail : summary.error().details) MESSAGE(detail);
  }
  const PipelineSummary done = must(std::move(summary));
  CHECK(SprocketBed::frames({"-i", bed.path("out.mp4")}) == gray(in));
  for (const TaskRun& run : done.runs) {
    const std::string expected = run.node == "decode"      ? "n1"
                                 : run.node == "grayscale" ? "n2"
                                                           : "n3";
    CHECK(run.where == expected);
  }
  CHECK(scene.leased() == 0);
}

TEST_CASE("sprocket nodes: the work of a node that is lost goes elsewhere") {
  FleetScene scene(3);
  scene.start_agents();
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kPoolClip);
  auto client = must(fleet::Client::connect(scene.socket(0)));
  auto options = bed.options(in, bed.path("out.mp4"));
  options.job.pool = "job";
  options.nodes = {"n1", "n2", "n3"};
  bool lost = false;
  PipelineWatch watch;
  watch.event = [&](const fleet::Event& event) {
    if (event.phase != fleet::Phase::processing || event.node != "n2" || lost) return;
    lost = true;
    scene.kill_agent(1);
  };
  const auto start = [&](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    return client.start(job, observer);
  };
  auto summary = run_pipeline(shipped("grayscale"), options, start, watch);
  if (!summary) {
    for (const std::string& detail : summary.error().details) MESSAGE(detail);
  }
  const PipelineSummary done = must(std::move(summary));
  CHECK(lost);
  CHECK(done.retried > 0);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mp4")}) == gray(in));
  scene.start_agent(1);  // ends what the killed one left
  CHECK(eventually([&] { return scene.leased() == 0; }));
}

TEST_CASE("sprocket cli: a run over two nodes says where the time went") {
  FleetScene scene(2);
  scene.start_agents();
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kPoolClip);
  const auto ran = scene.fleet(0, {"pipeline",
                                   "run",
                                   "grayscale",
                                   "--pool",
                                   "job",
                                   "--node",
                                   "n1",
                                   "--node",
                                   "n2",
                                   "--input",
                                   in,
                                   "--output",
                                   "0=" + bed.path("out.mp4"),
                                   "--events",
                                   bed.path("events.jsonl"),
                                   "--timeline",
                                   bed.path("run.svg"),
                                   "--agent",
                                   scene.socket(0),
                                   "--json"});
  CAPTURE(ran.out);
  CAPTURE(ran.err);
  REQUIRE(ran.exit_code == 0);
  const auto summary = nlohmann::json::parse(ran.out);
  CHECK(summary["frames"]["0"] == 130);
  CHECK(summary["tasks"] == 18);
  CHECK(summary["startup_ms"] > 0);
  CHECK(summary["processing_ms"] > summary["transfer_ms"]);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mp4")}) == gray(in));
  std::ifstream events(bed.path("events.jsonl"));
  std::size_t processing = 0;
  for (std::string line; std::getline(events, line);) {
    processing += must(fleet::parse_event(line)).phase == fleet::Phase::processing ? 1U : 0U;
  }
  CHECK(processing == 18);
  CHECK(std::filesystem::file_size(bed.path("run.svg")) > 1000);
}

TEST_CASE("sprocket cli: the worker may be where instances do not look") {
  FleetScene scene(1);
  scene.start_agents();
  const SprocketBed bed;
  // Below /tmp, which instances have to themselves.
  const std::string worker = bed.path("elsewhere");
  REQUIRE(worker.starts_with("/tmp/"));
  std::filesystem::copy_file(std::string(PARTICLE_TEST_BIN_DIR) + "/particle-worker", worker);
  std::ofstream(bed.path("null.json")) << R"({"nodes": [{"name": "only", "stage": "null"}],
    "streams": [{"src": "input_0:chunks", "dst": "only:chunks"},
                {"src": "only:chunks", "dst": "output_0:chunks"}]})";
  const auto ran = scene.fleet(
      0, {"pipeline", "run", bed.path("null.json"), "--pool", "job", "--worker", worker, "--input",
          "null:3", "--output", "null:", "--agent", scene.socket(0), "--json"});
  CAPTURE(ran.out);
  CAPTURE(ran.err);
  REQUIRE(ran.exit_code == 0);
  CHECK(nlohmann::json::parse(ran.out)["tasks"] == 3);
}

TEST_CASE("sprocket cli: faults of a pipespec and of options are printed at once") {
  const FleetScene scene(1);
  const SprocketBed bed;
  const std::string spec = write_program(bed.path("bad.json"), R"({"nodes": [
{"name": "a", "stage": "decodr"}],
"streams": [{"src": "input_0:chunks", "dst": "b:chunks"}]})");
  const auto checked = scene.fleet(0, {"pipeline", "check", spec});
  CHECK(checked.exit_code == 2);
  CHECK(checked.err.find("bad.json:2: node \"a\": stage: there is no stage \"decodr\"") !=
        std::string::npos);
  CHECK(checked.err.find("bad.json:3: stream input_0:chunks -> b:chunks: there is no node") !=
        std::string::npos);
  const auto nowhere = scene.fleet(0, {"pipeline", "run", "grayscale", "--chunk", "x"});
  CHECK(nowhere.exit_code == 2);
  CHECK(nowhere.err.find("neither --pool nor --local") != std::string::npos);
  const auto listed = scene.fleet(0, {"pipeline", "list"});
  CHECK(listed.exit_code == 0);
  CHECK(listed.out.find("thumbnails") != std::string::npos);
}
