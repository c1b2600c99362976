// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "coordinator/dash.hpp"
#include "coordinator/flow.hpp"
#include "coordinator/instances.hpp"
#include "coordinator/order.hpp"
#include "coordinator/outputs.hpp"
#include "input/video.hpp"
#include "worker/ffmpeg.hpp"

using namespace particle;
using namespace particle::sprocket;
using namespace std::chrono_literals;

namespace {

Pipespec nulls() {
  auto spec = parse_pipespec(R"({"nodes": [
{"name": "a", "stage": "null"}, {"name": "b", "stage": "null"}],
"streams": [
{"src": "input_0:chunks", "dst": "a:chunks"},
{"src": "a:chunks", "dst": "b:chunks"},
{"src": "b:chunks", "dst": "output_0:chunks"}]})",
                             "p");
  REQUIRE(spec);
  return std::move(*spec);
}

DoneMessage done(std::uint64_t first, std::uint64_t frames) {
  DoneItem item;
  item.item = {.first = first, .span = frames, .frames = frames};
  return {{{"chunks", {}, {item}}}};
}

Flow fed(const Pipespec& spec, std::uint64_t chunks) {
  Flow flow(spec);
  for (std::uint64_t i = 0; i < chunks; ++i) REQUIRE(flow.add_source(0, i * 25, 25, {}, {}));
  REQUIRE(flow.end_sources());
  return flow;
}

}  // namespace

TEST_CASE("flow: a chunk passes its stages without waiting for others") {
  const Pipespec spec = nulls();
  Flow flow = fed(spec, 2);
  CHECK(flow.take_fired() == std::vector<TaskId>{0, 1});
  REQUIRE(flow.complete(1, done(25, 25)));
  CHECK(flow.needed(1));
  const auto fired = flow.take_fired();
  REQUIRE(fired.size() == 1);
  CHECK(flow.name_of(fired.front()) == "b chunk 0 (frames 25 to 49)");
  REQUIRE(flow.complete(fired.front(), done(25, 25)));
  CHECK(!flow.needed(1));
  CHECK(!flow.finished());
  REQUIRE(flow.complete(0, done(0, 25)));
  REQUIRE(flow.complete(flow.take_fired().front(), done(0, 25)));
  CHECK(flow.finished());
  const auto parts = line_up(flow, 0, 25);
  REQUIRE(parts);
  CHECK(parts->size() == 2);
  CHECK(parts->front().first == 0);
}

TEST_CASE("flow: lost and doubled frames are found at the hand-over") {
  const Pipespec spec = nulls();
  for (const auto& [message, frames] :
       {std::pair{done(0, 24), "24"}, std::pair{done(0, 26), "26"}}) {
    Flow flow = fed(spec, 1);
    const auto ok = flow.complete(0, message);
    REQUIRE(!ok);
    CHECK(ok.error().operation ==
          "a chunk 0 (frames 0 to 24): chunks: " + std::string(frames) + " frames came out of 25");
  }
  Flow flow = fed(spec, 1);
  CHECK(!flow.complete(0, done(1, 25)));
  CHECK(!fed(spec, 1).complete(0, DoneMessage{}));
}

TEST_CASE("flow: what is lost is made again and must be the same") {
  const Pipespec spec = nulls();
  Flow flow = fed(spec, 1);
  REQUIRE(flow.complete(0, done(0, 25)));
  const TaskId second = flow.take_fired().back();
  const ItemId made = flow.task(0).outputs.front();
  CHECK(flow.missing_inputs(second).empty());
  flow.lose(made);
  CHECK(flow.missing_inputs(second) == std::vector<ItemId>{made});
  flow.hold_inputs(0);
  REQUIRE(flow.complete(0, done(0, 25)));
  CHECK(flow.missing_inputs(second).empty());
  CHECK(flow.take_fired().empty());
  CHECK(flow.task_count() == 2);
  CHECK(flow.completed_count() == 1);
}

TEST_CASE("order: overall time prefers early stages and first frame prefers early frames") {
  const Standing early_stage{.depth = 0, .deepest = 2, .first = 50, .task = 2};
  const Standing late_stage{.depth = 2, .deepest = 2, .first = 0, .task = 9};
  const Standing again{.again = true, .depth = 2, .deepest = 2, .first = 99, .task = 5};
  CHECK(rank(Strategy::overall_time, early_stage) < rank(Strategy::overall_time, late_stage));
  CHECK(rank(Strategy::first_frame, late_stage) < rank(Strategy::first_frame, early_stage));
  CHECK(rank(Strategy::overall_time, again) < rank(Strategy::overall_time, early_stage));
  const Standing same_frames{.depth = 0, .deepest = 2, .first = 0, .task = 0};
  CHECK(rank(Strategy::first_frame, late_stage) < rank(Strategy::first_frame, same_frames));
}

TEST_CASE("order: streaming begins a chunk its latency and the lead before its time") {
  const std::chrono::steady_clock::time_point shown{100s};
  CHECK(begin_of(shown, 10s, 3s, 2s) == std::chrono::steady_clock::time_point{105s});
}

TEST_CASE("order: the last places are kept for later stages") {
  CHECK(has_room(0, 1000, 0, 2));
  CHECK(has_room(3, 0, 0, 2));
  CHECK(!has_room(3, 1, 0, 2));
  CHECK(has_room(3, 1, 1, 2));
  CHECK(has_room(3, 2, 2, 2));
  CHECK(!has_room(3, 3, 2, 2));
}

TEST_CASE("outputs: a name says what is made") {
  CHECK(kind_of("a.mp4") == OutputKind::file);
  CHECK(kind_of("a-%03d.mp4") == OutputKind::files);
  CHECK(kind_of("a.mpd") == OutputKind::dash);
  CHECK(kind_of("null:") == OutputKind::nothing);
  CHECK(numbered("t-%03d.png", 7) == "t-007.png");
  CHECK(numbered("t-%d.png", 12) == "t-12.png");
  CHECK(!numbered("t-%s.png", 7));
  CHECK(!numbered("t-%d-%d.png", 7));
  CHECK(!numbered("t.png", 7));
}

TEST_CASE("instances: lines are put together from pieces") {
  std::string pending;
  CHECK(take_lines(pending, "{\"a\"").empty());
  CHECK(take_lines(pending, ": 1}\n{}\n{") == std::vector<std::string>{"{\"a\": 1}", "{}"});
  CHECK(pending == "{");
}

TEST_CASE("video: frames are cut by their own time stamps") {
  const auto video = parse_probe(R"({"streams": [{"width": 128, "height": 72, "pix_fmt": "yuv420p",
"r_frame_rate": "2/1", "avg_frame_rate": "2/1", "time_base": "1/10"}],
"format": {"start_time": "1.000000"},
"packets": [{"pts": 5, "flags": "KD"}, {"pts": 10, "flags": "K_"}, {"pts": 20, "flags": "__"},
{"pts": 15, "flags": "__"}, {"pts": 25, "flags": "K_"}, {"pts": 30, "flags": "__"}]})",
                                 "v.mp4");
  REQUIRE(video);
  const auto chunks = cut(*video, 1s);
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[1].first == 2);
  CHECK(chunks[1].frames == 2);
  CHECK(chunks[1].source.start_pts == 20);
  CHECK(chunks[1].source.end_pts == 30);
  CHECK(chunks[1].source.seek == 0);  // the key frame before it is the first of all
  CHECK(chunks[2].frames == 1);
  CHECK(chunks[2].source.seek == doctest::Approx(1.75));
  CHECK(!chunks[2].source.end_pts);
}

TEST_CASE("video: what cannot be cut is refused in words") {
  const auto why = [](const std::string& text) {
    const auto video = parse_probe(text, "v");
    REQUIRE(!video);
    return video.error().operation;
  };
  CHECK(why(R"({"streams": []})") == "video v: it has no video stream");
  CHECK(why(R"({"streams": [{}], "packets": []})") == "video v: its video stream has no frames");
  CHECK(why(R"({"streams": [{}], "packets": [{"flags": "K_"}]})") ==
        "video v: its container has no time stamps for every frame");
  CHECK(why(R"({"streams": [{"width": 1, "height": 1, "pix_fmt": "gray", "r_frame_rate": "1/1",
"avg_frame_rate": "1/1", "time_base": "1/1"}],
"packets": [{"pts": 0, "flags": "K_"}, {"pts": 1, "flags": "K_"}, {"pts": 5, "flags": "K_"}]})") ==
        "video v: frame 2 is not where 1/1 frames per second would have it: its rate is variable");
}

TEST_CASE("ffmpeg: the framecrc muxer's lines are counted") {
  const auto count = parse_framecrc(
      "#software: Lavf59\n#tb 0: 1/25\n#dimensions 0: 128x72\n#sar 0: 4/3\n"
      "0,          0,          0,        1,    13824, 0xd3afe1cc\n"
      "0,          1,          1,        1,    13824, 0x2066ea21\n");
  REQUIRE(count);
  CHECK(count->frames == 2);
  CHECK(count->width == 128);
  CHECK(count->height == 72);
  CHECK(count->aspect == "4:3");
  CHECK(count->frame_bytes == 13824);
  CHECK(!parse_framecrc("0, 1\n"));
}

TEST_CASE(
    "sprocket order: a straggler takes three times what others took, and half a second more") {
  CHECK(!is_straggler(1h, {}));
  CHECK(!is_straggler(1h, {1s, 1s}));
  CHECK(is_straggler(3100ms, {1s, 9s, 1s}));
  CHECK(!is_straggler(2900ms, {1s, 9s, 1s}));
  CHECK(!is_straggler(400ms, {10ms, 10ms, 10ms}));
  CHECK(is_straggler(520ms, {10ms, 10ms, 10ms}));
}

TEST_CASE("sprocket dash: a segment is moved by its tfdt and sidx, of both versions") {
  const auto box = [](const std::string& type, const std::string& content) {
    std::string out(4, '\0');
    out[3] = static_cast<char>(content.size() + 8);
    return out + type + content;
  };
  using namespace std::string_literals;
  const auto segment = [&](const std::string& earliest, const std::string& decoded) {
    return box("styp", "msdh") + box("sidx", "\0\0\0\0\0\0\0\1\0\0\0\x64"s + earliest) +
           box("moof",
               box("mfhd", "12345678") + box("traf", box("tfhd", "abcd") + box("tfdt", decoded))) +
           box("mdat", "tfdt stays");
  };
  std::string narrow = segment("\0\0\0\2"s, "\0\0\0\0\0\0\0\3"s);
  CHECK(shift_segment(narrow, 0x1ff));
  CHECK(narrow == segment("\0\0\2\1"s, "\0\0\0\0\0\0\2\2"s));
  std::string wide = segment("\0\0\0\0"s, "\1\0\0\0\0\0\0\0\xff\xff\xff\xff"s);
  CHECK(shift_segment(wide, 1));
  CHECK(wide == segment("\0\0\0\1"s, "\1\0\0\0\0\0\0\1\0\0\0\0"s));
  std::string broken = wide.substr(0, wide.size() - 30);
  CHECK(!shift_segment(broken, 1));
  std::string none = box("mdat", "x");
  CHECK(!shift_segment(none, 1));
}
