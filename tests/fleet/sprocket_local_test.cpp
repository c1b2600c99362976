// SPDX-License-Identifier: Apache-2.0
// Whole pipelines on plain processes: real ffmpeg, real frames.
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <sys/mount.h>
#include <sys/stat.h>

#include <doctest/doctest.h>

#include <particle_sprocket/local_job.hpp>
#include <particle_sprocket/pipeline.hpp>

#include "sprocket_bed.hpp"
#include "support/fd_leak.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

using namespace particle;
using namespace particle::sprocket;
using namespace particle::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kLocalClip = "testsrc2=s=128x72:r=25:d=5.2";

Result<PipelineSummary> run(const Pipespec& spec, const PipelineOptions& options,
                            const PipelineWatch& watch = {}) {
  return run_pipeline(spec, options, start_local_job, watch);
}

PipelineSummary run_well(const Pipespec& spec, const PipelineOptions& options,
                         const PipelineWatch& watch = {}) {
  auto summary = run(spec, options, watch);
  if (!summary) {
    for (const std::string& detail : summary.error().details) MESSAGE(detail);
  }
  return must(std::move(summary));
}

Pipespec one_stage(const std::string& stage, const std::string& parameters = "{}") {
  return must(parse_pipespec(R"({"nodes": [
{"name": "decode", "stage": "decode"},
{"name": "work", "stage": ")" + stage +
                                 R"(", "parameters": )" + parameters + R"(},
{"name": "encode", "stage": "encode", "parameters": {"options": ["-qp", "0"]}}],
"streams": [
{"src": "input_0:chunks", "dst": "decode:chunks"},
{"src": "decode:frames", "dst": "work:frames"},
{"src": "work:frames", "dst": "encode:frames"},
{"src": "encode:chunks", "dst": "output_0:chunks"}]})",
                             "test"));
}

}  // namespace

TEST_CASE("sprocket grayscale: frames equal those of one ffmpeg") {
  const SprocketBed bed;
  const FdLeak descriptors;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  for (const Transfer transfer : {Transfer::direct, Transfer::store}) {
    auto options = bed.options(in, bed.path("out.mp4"));
    options.transfer = transfer;
    options.store = bed.path("");
    const PipelineSummary summary = run_well(shipped("grayscale"), options);
    CHECK(summary.frames.at(0) == 130);
    CHECK(summary.tasks == 18);
    CHECK(summary.retried == 0);
    CHECK(summary.processing.count() > 0);
    for (const TaskRun& run : summary.runs) {
      INFO(run.node << " " << run.number);
      CHECK((run.pulled.count() > 0) == (run.node != "decode"));
      CHECK(run.handed.count() > 0);
    }
    const auto expected = SprocketBed::frames({"-i", in, "-vf", "hue=s=0", "-pix_fmt", "yuv420p"});
    CHECK(expected.size() == 130);
    CHECK(SprocketBed::frames({"-i", bed.path("out.mp4")}) == expected);
  }
  CHECK(bed.files() == std::vector<std::string>{"in.mp4", "out.mp4"});
  CHECK(living_workers() == 0);
  CHECK(descriptors.leaked() == std::vector<std::string>{});
}

TEST_CASE("sprocket blend: frames equal those of one ffmpeg") {
  const SprocketBed bed;
  const std::string one = bed.clip("one.mp4", kLocalClip);
  const std::string two = bed.clip("two.mkv", "testsrc=s=128x72:r=25:d=5.2");
  auto options = bed.options(one, bed.path("out.mkv"));
  options.inputs[1] = two;
  run_well(shipped("blend"), options);
  const auto expected =
      SprocketBed::frames({"-i", one, "-i", two, "-filter_complex",
                           "[0:v][1:v]blend=all_mode=average", "-pix_fmt", "yuv420p"});
  CHECK(expected.size() == 130);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mkv")}) == expected);
}

TEST_CASE("sprocket scenes: cut where one ffmpeg sees changes and no frame is lost") {
  const SprocketBed bed;
  // Changes at frame 40, 75 (a chunk's first) and 101.
  const std::string in = bed.clip(
      "in.mp4",
      "testsrc2=s=128x72:r=25:d=1.6[a];color=red:s=128x72:r=25:d=1.4[b];smptebars=s=128x72:r=25:d="
      "1.04[c];testsrc=s=128x72:r=25:d=1.16[d];[a][b][c][d]concat=n=4,setsar=1");
  run_well(shipped("scenes"), bed.options(in, bed.path("scene-%02d.mp4")));
  const auto cuts = SprocketBed::frames({"-i", in, "-vf", "select=gt(scene\\,0.3)"});
  REQUIRE(cuts.size() == 3);
  std::vector<std::string> all;
  std::vector<std::size_t> lengths;
  for (const char* name : {"scene-01.mp4", "scene-02.mp4", "scene-03.mp4", "scene-04.mp4"}) {
    const auto scene = SprocketBed::frames({"-i", bed.path(name)});
    REQUIRE(!scene.empty());
    if (!all.empty()) CHECK(scene.front() == cuts[lengths.size() - 1]);
    lengths.push_back(scene.size());
    all.insert(all.end(), scene.begin(), scene.end());
  }
  CHECK(all == SprocketBed::frames({"-i", in}));
  CHECK(lengths == std::vector<std::size_t>{40, 35, 26, 29});
  CHECK(bed.files().size() == 5);
}

TEST_CASE("sprocket thumbnails: pictures equal those of one ffmpeg") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  run_well(shipped("thumbnails"), bed.options(in, bed.path("thumb-%03d.png")));
  std::vector<std::string> pictures;
  for (int i = 1; i <= 6; ++i) {
    const auto picture =
        SprocketBed::frames({"-i", bed.path("thumb-00" + std::to_string(i) + ".png")});
    pictures.insert(pictures.end(), picture.begin(), picture.end());
  }
  CHECK(pictures == SprocketBed::frames(
                        {"-i", in, "-vf",
                         "select=not(mod(n\\,25)),scale=64:-2:flags=bicubic+accurate_rnd+bitexact",
                         "-pix_fmt", "rgb24"}));
}

TEST_CASE("sprocket dash: a manifest with segments that hold every frame") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  run_well(one_stage("filter", R"({"filter": "hue=s=0"})"), bed.options(in, bed.path("out.mpd")));
  CHECK(SprocketBed::frames({"-i", bed.path("out.mpd")}) ==
        SprocketBed::frames({"-i", in, "-vf", "hue=s=0", "-pix_fmt", "yuv420p"}));
  CHECK(bed.files() == std::vector<std::string>{"in.mp4", "out-00001.m4s", "out-00002.m4s",
                                                "out-00003.m4s", "out-00004.m4s", "out-00005.m4s",
                                                "out-00006.m4s", "out-init.m4s", "out.mpd"});
  std::ifstream file(bed.path("out.mpd"));
  const std::string manifest((std::istreambuf_iterator<char>(file)), {});
  CHECK(manifest.find("type=\"static\"") != std::string::npos);
  CHECK(manifest.find("mediaPresentationDuration=\"PT5.200000S\"") != std::string::npos);
}

namespace {

/// Hands on what it gets; the last chunk waits until `go` is there, and then fails if that says so.
constexpr const char* kLastWaits = R"(#!/usr/bin/python3
import json, os, sys, time
task = json.loads(sys.stdin.readline())
go = os.path.join(os.path.dirname(sys.argv[0]), "go")
if task["first"] == 125:
    while not os.path.exists(go): time.sleep(0.02)
    if open(go).read() == "fail": sys.exit("no luck")
open(task["outputs"][0]["path"], "wb").write(open(task["inputs"][0]["path"], "rb").read())
print(json.dumps({"outputs": {"frames": {"frames": task["frames"]}}}))
)";

}  // namespace

TEST_CASE("sprocket dash: segments are there while the rest is made, and go when that fails") {
  for (const char* word : {"go on", "fail"}) {
    const SprocketBed bed;
    const std::string in = bed.clip("in.mp4", kLocalClip);
    const std::string program = write_program(bed.path("last"), kLastWaits);
    auto options = bed.options(in, bed.path("out.mpd"));
    options.retries = 0;
    std::size_t early = 0;
    PipelineWatch watch;
    watch.progress = [&](std::size_t /*done*/, std::size_t /*known*/) {
      if (early != 0 || !std::filesystem::exists(bed.path("out-00005.m4s"))) return;
      std::ifstream file(bed.path("out.mpd"));
      const std::string manifest((std::istreambuf_iterator<char>(file)), {});
      for (auto at = manifest.find("<S "); at != std::string::npos;
           at = manifest.find("<S ", at + 1)) {
        ++early;
      }
      if (early != 5 || manifest.find("type=\"dynamic\"") == std::string::npos) {
        early = 0;  // the fifth segment is a moment older than its manifest
        return;
      }
      write_program(bed.path("go"), word);
    };
    const auto summary = run(one_stage("exec:" + program), options, watch);
    CHECK(early == 5);
    CHECK(summary.has_value() == (std::string(word) == "go on"));
    if (summary) {
      CHECK(SprocketBed::frames({"-i", bed.path("out.mpd")}) ==
            SprocketBed::frames({"-i", in, "-pix_fmt", "yuv420p"}));
    } else {
      CHECK(bed.files() == std::vector<std::string>{"go", "in.mp4", "last"});
    }
  }
}

TEST_CASE("sprocket exec: an executable of one's own is a stage") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  const std::string program = write_program(bed.path("invert"), R"(#!/usr/bin/python3
import json, sys
task = json.loads(sys.stdin.readline())
data = open(task["inputs"][0]["path"], "rb").read()
open(task["outputs"][0]["path"], "wb").write(bytes(255 - b for b in data))
print(json.dumps({"outputs": {"frames": {"frames": task["frames"]}}}))
)");
  run_well(one_stage("exec:" + program), bed.options(in, bed.path("out.mkv")));
  CHECK(SprocketBed::frames({"-i", bed.path("out.mkv")}) ==
        SprocketBed::frames({"-i", in, "-vf", "lutyuv=y=255-val:u=255-val:v=255-val"}));

  const std::string liar = write_program(bed.path("liar"), R"(#!/usr/bin/python3
print('{"outputs": {"frames": {"frames": 3}}}')
)");
  auto options = bed.options(in, bed.path("no.mkv"));
  options.retries = 0;
  const auto failed = run(one_stage("exec:" + liar), options);
  REQUIRE(!failed);
  REQUIRE(failed.error().details.size() == 1);
  CHECK(failed.error().details[0].find("0 bytes are not 3 frames") != std::string::npos);
  CHECK(!std::filesystem::exists(bed.path("no.mkv")));
}

TEST_CASE("sprocket faults: a worker killed or gone wrong is tried again") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  // The second chunk's first worker kills itself, the third one's hangs, the fourth one's fails.
  const std::string program = write_program(bed.path("weak"), R"(#!/usr/bin/python3
import json, os, signal, sys, time
task = json.loads(sys.stdin.readline())
mark = os.path.join(os.path.dirname(sys.argv[0]), "mark-%d" % task["first"])
if task["first"] in (25, 50, 75) and not os.path.exists(mark):
    open(mark, "w")
    if task["first"] == 25: os.kill(os.getppid(), signal.SIGKILL)
    if task["first"] == 50: time.sleep(1000)
    sys.exit("no luck")
open(task["outputs"][0]["path"], "wb").write(open(task["inputs"][0]["path"], "rb").read())
print(json.dumps({"outputs": {"frames": {"frames": task["frames"]}}}))
)");
  auto options = bed.options(in, bed.path("out.mkv"));
  options.task_timeout = 4s;
  std::vector<std::string> warnings;
  PipelineWatch watch;
  watch.warn = [&](const std::string& text) { warnings.push_back(text); };
  const PipelineSummary summary = run_well(one_stage("exec:" + program), options, watch);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mkv")}) == SprocketBed::frames({"-i", in}));
  CHECK(summary.retried >= 3);
  std::string all;
  for (const std::string& warning : warnings) all += warning + "\n";
  CAPTURE(all);
  CHECK(all.find("(frames 25 to 49): tried again: killed by signal 9 (Killed)") !=
        std::string::npos);
  CHECK(all.find("(frames 50 to 74): tried again: no answer within 4 s") != std::string::npos);
  CHECK(all.find("no luck") != std::string::npos);
  CHECK(living_workers() == 0);
}

TEST_CASE("sprocket faults: what fails too often is named by stage and chunk and nothing is left") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  auto options = bed.options(in, bed.path("out.mp4"));
  options.retries = 1;
  const auto failed = run(one_stage("filter", R"({"filter": "no_such_filter"})"), options);
  REQUIRE(!failed);
  CHECK(failed.error().operation.starts_with("work chunk "));
  CHECK(failed.error().operation.ends_with(": failed 2 times"));
  REQUIRE(failed.error().details.size() == 2);
  CHECK(failed.error().details[0].find("no_such_filter") != std::string::npos);
  CHECK(bed.files() == std::vector<std::string>{"in.mp4"});
  CHECK(living_workers() == 0);
}

TEST_CASE("sprocket faults: an upstream that dies while it serves is made again") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  const std::string program = write_program(bed.path("slow"), R"(#!/usr/bin/python3
import json, os, sys, time
task = json.loads(sys.stdin.readline())
time.sleep(0.3)
open(task["outputs"][0]["path"], "wb").write(open(task["inputs"][0]["path"], "rb").read())
print(json.dumps({"outputs": {"frames": {"frames": task["frames"]}}}))
)");
  auto options = bed.options(in, bed.path("out.mkv"));
  options.concurrency = 1;  // decode serves all chunks before the next stage begins
  const Pipespec spec = one_stage("exec:" + program);
  PipelineWatch watch;
  std::size_t processing = 0;
  std::vector<std::string> warnings;
  watch.warn = [&](const std::string& text) { warnings.push_back(text); };
  fleet::RunningJob* job = nullptr;
  watch.event = [&](const fleet::Event& event) {
    // The first task of the second stage works: instances 1 to 5 serve decoded chunks.
    if (event.phase == fleet::Phase::processing && event.instance == 6 && processing++ == 0) {
      CHECK(job->signal(2, SIGKILL));
      CHECK(job->signal(4, SIGKILL));
    }
  };
  const auto start =
      [&](const fleet::JobSpec& spec_of_job,
          fleet::JobObserver& observer) -> Result<std::unique_ptr<fleet::RunningJob>> {
    auto made = start_local_job(spec_of_job, observer);
    if (made) job = made->get();
    return made;
  };
  const auto summary = must(run_pipeline(spec, options, start, watch));
  CHECK(processing == 1);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mkv")}) == SprocketBed::frames({"-i", in}));
  CHECK(summary.retried == 2);
  REQUIRE(warnings.size() == 2);
  CHECK(warnings[0].find("made again: its worker is gone") != std::string::npos);
}

TEST_CASE("sprocket faults: a stop ends everything and leaves nothing") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  std::stop_source stop;
  PipelineWatch watch;
  watch.stop = stop.get_token();
  const std::jthread later([&] {
    std::this_thread::sleep_for(700ms);
    stop.request_stop();
  });
  auto options = bed.options(in, bed.path("out.mp4"));
  const auto begin = std::chrono::steady_clock::now();
  const auto stopped = run(one_stage("null", R"({"seconds": 100})"), options, watch);
  REQUIRE(!stopped);
  CHECK(stopped.error().kind() == Errc::interrupted);
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK(bed.files() == std::vector<std::string>{"in.mp4"});
  CHECK(living_workers() == 0);
}

TEST_CASE("sprocket faults: a full disk is named and nothing is left on it") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  const std::string small = bed.path("small");
  REQUIRE(::mkdir(small.c_str(), 0755) == 0);
  if (::mount("none", small.c_str(), "tmpfs", 0, "size=100k") != 0) {
    return skip("needs the right to mount");
  }
  {
    const auto failed = run(shipped("grayscale"), bed.options(in, small + "/out.mp4"));
    REQUIRE(!failed);
    std::string all = failed.error().message();
    for (const std::string& detail : failed.error().details) all += "\n" + detail;
    CHECK(all.find("No space left on device") != std::string::npos);
    CHECK(std::filesystem::is_empty(small));
  }
  CHECK(::umount2(small.c_str(), MNT_DETACH) == 0);
}

TEST_CASE("sprocket faults: a worker program that is not there is named") {
  const SprocketBed bed;
  auto options = bed.options("null:3", "null:");
  options.job.function.command = {"/no/such/worker"};
  const auto spec = must(parse_pipespec(R"({"nodes": [{"name": "a", "stage": "null"}],
"streams": [{"src": "input_0:chunks", "dst": "a:chunks"}, {"src": "a:chunks", "dst": "output_0:chunks"}]})",
                                        "null"));
  const auto failed = run(spec, options);
  REQUIRE(!failed);
  REQUIRE(failed.error().details.size() == 3);
  CHECK(failed.error().details[0].find("not started: exec /no/such/worker") != std::string::npos);
}

TEST_CASE("sprocket inputs: broken and empty and missing videos are refused by name") {
  const SprocketBed bed;
  const auto why = [&](const std::string& in) {
    const auto failed = run(shipped("grayscale"), bed.options(in, bed.path("out.mp4")));
    REQUIRE(!failed);
    CHECK(bed.files().size() <= 3);
    return failed.error().message();
  };
  const std::string empty = write_program(bed.path("empty.mp4"), "");
  CHECK(why(empty).ends_with("empty.mp4: it is empty: invalid argument"));
  const std::string broken = write_program(bed.path("broken.mp4"), "no video at all");
  CHECK(why(broken).find("Invalid data found") != std::string::npos);
  CHECK(why(bed.path("absent.mp4")).find("No such file") != std::string::npos);
}

TEST_CASE("sprocket stragglers: a second worker ends what hangs, and no frame is doubled") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  // Of chunk 25 the first worker hangs, of chunk 50 both end at about the same time, of chunk 75 the copy fails.
  const std::string program = write_program(bed.path("uneven"), R"(#!/usr/bin/python3
import json, os, sys, time
task = json.loads(sys.stdin.readline())
mark = os.path.join(os.path.dirname(sys.argv[0]), "mark-%d" % task["first"])
second = os.path.exists(mark + "-1")
open(mark + ("-2" if second else "-1"), "w")
if task["first"] in (25, 50, 75) and not second:
    while not os.path.exists(mark + "-2"): time.sleep(0.02)
    if task["first"] == 25: time.sleep(1000)
    if task["first"] == 75: time.sleep(1)
if task["first"] == 75 and second: sys.exit("the copy fails")
open(task["outputs"][0]["path"], "wb").write(open(task["inputs"][0]["path"], "rb").read())
print(json.dumps({"outputs": {"frames": {"frames": task["frames"]}}}))
)");
  auto options = bed.options(in, bed.path("out.mkv"));
  options.duplicate_stragglers = true;
  std::vector<std::string> warnings;
  PipelineWatch watch;
  watch.warn = [&](const std::string& text) { warnings.push_back(text); };
  const PipelineSummary summary = run_well(one_stage("exec:" + program), options, watch);
  for (const std::string& warning : warnings) MESSAGE(warning);
  CHECK(summary.copied >= 3);  // a busy machine may have more
  CHECK(summary.retried == 0);
  CHECK(summary.frames.at(0) == 130);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mkv")}) ==
        SprocketBed::frames({"-i", in, "-pix_fmt", "yuv420p"}));
  std::map<std::pair<std::string, std::uint64_t>, int> ended;
  for (const TaskRun& run : summary.runs) ended[{run.node, run.number}] += run.ok ? 1 : 0;
  for (const auto& [task, times] : ended) CHECK(times == 1);
  CHECK(living_workers() == 0);
}

TEST_CASE("sprocket stragglers: without the option nothing is started twice") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  const std::string program = write_program(bed.path("slow"), R"(#!/usr/bin/python3
import json, sys, time
task = json.loads(sys.stdin.readline())
if task["first"] == 25: time.sleep(2)
open(task["outputs"][0]["path"], "wb").write(open(task["inputs"][0]["path"], "rb").read())
print(json.dumps({"outputs": {"frames": {"frames": task["frames"]}}}))
)");
  const PipelineSummary summary =
      run_well(one_stage("exec:" + program), bed.options(in, bed.path("out.mkv")));
  CHECK(summary.copied == 0);
  CHECK(summary.runs.size() == summary.tasks);
}

TEST_CASE("sprocket inputs: a damaged video names the stage and the chunk") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", kLocalClip);
  // The end of the file, where the last chunks are, becomes nothing.
  std::filesystem::path path(in);
  const auto size = std::filesystem::file_size(path);
  {
    std::FILE* file = std::fopen(in.c_str(), "r+b");
    REQUIRE(file != nullptr);
    std::fseek(file, static_cast<long>(size / 3), SEEK_SET);
    for (std::uintmax_t i = 0; i < size / 3; ++i) std::fputc(0, file);
    std::fclose(file);
  }
  auto options = bed.options(in, bed.path("out.mp4"));
  options.retries = 0;
  const auto failed = run(shipped("grayscale"), options);
  REQUIRE(!failed);
  CHECK(failed.error().operation.starts_with("decode chunk "));
  CHECK(bed.files() == std::vector<std::string>{"in.mp4"});
}

TEST_CASE("sprocket options: every fault is named at once") {
  const SprocketBed bed;
  auto options = bed.options("in.mp4", bed.path("no/such/folder/out"));
  options.inputs[3] = "x";
  options.outputs[1] = bed.path("a-%s.mp4");
  const auto checked = check_options(shipped("blend"), options);
  REQUIRE(!checked);
  CHECK(checked.error().details.size() == 6);
}

TEST_CASE("sprocket null: a pipeline without work runs through") {
  const SprocketBed bed;
  const auto spec = must(parse_pipespec(R"({"nodes": [
{"name": "a", "stage": "null"}, {"name": "b", "stage": "null"}, {"name": "c", "stage": "null"}],
"streams": [
{"src": "input_0:chunks", "dst": "a:chunks"},
{"src": "a:chunks", "dst": "b:chunks"},
{"src": "b:chunks", "dst": "c:chunks"},
{"src": "c:chunks", "dst": "output_0:chunks"}]})",
                                        "null"));
  for (const Strategy strategy : {Strategy::overall_time, Strategy::first_frame}) {
    auto options = bed.options("null:50", "null:");
    options.strategy = strategy;
    options.capacity = 7;
    const PipelineSummary summary = run_well(spec, options);
    CHECK(summary.tasks == 150);
    CHECK(summary.frames.at(0) == 50);
    CHECK(summary.most_alive <= 7);
  }
}

TEST_CASE("sprocket strategies: time to first frame is shorter and streaming keeps its pace") {
  const SprocketBed bed;
  const std::string in = bed.clip("in.mp4", "testsrc2=s=64x36:r=25:d=8");
  auto options = bed.options(in, bed.path("out.mkv"));
  options.concurrency = 1;
  const auto overall = run_well(shipped("grayscale"), options);
  options.strategy = Strategy::first_frame;
  const auto first = run_well(shipped("grayscale"), options);
  CHECK(first.first_output * 2 < overall.first_output);
  options.strategy = Strategy::streaming;
  options.lead = 1s;
  const auto streaming = run_well(shipped("grayscale"), options);
  // The last chunk is shown 7 seconds after the first: it is begun 1 second and its work before that.
  CHECK(streaming.total > 5s);
  CHECK(streaming.total < 9s);
  CHECK(streaming.most_alive < overall.most_alive);
  CHECK(SprocketBed::frames({"-i", bed.path("out.mkv")}).size() == 200);
}
