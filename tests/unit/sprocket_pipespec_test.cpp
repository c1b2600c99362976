// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <particle_sprocket/pipespec.hpp>

using namespace particle;
using namespace particle::sprocket;

namespace {

/// Listing 2.1 of the paper, word by word.
constexpr const char* kListing = R"({ "nodes":
  [ {
    "name": "decode_0",
    "stage": "decode"
  }, {
    "name": "decode_1",
    "stage": "decode"
  }, {
    "name": "blend",
    "stage": "blend",
    "delivery_function":
      "pair_delivery_func"
  }, {
    "name": "encode",
    "stage": "encode"
  }
],
"streams":
  [ {
    "src": "input_0:chunks",
    "dst": "decode_0:chunks"
  }, {
    "src": "input_1:chunks",
    "dst": "decode_1:chunks"
  }, {
  "src": "decode_0:frames",
  "dst": "blend:frames_0"
}, {
  "src": "decode_1:frames",
  "dst": "blend:frames_1"
}, {
  "src": "blend:frames",
  "dst": "encode:frames"
}, {
  "src": "encode:chunks",
  "dst": "output_0:chunks"
}
]
})";

std::vector<std::string> faults_of(const std::string& text) {
  const auto spec = parse_pipespec(text, "p.json");
  if (spec) return {};
  CHECK(spec.error().kind() == Errc::invalid_argument);
  return spec.error().details.empty() ? std::vector{spec.error().operation} : spec.error().details;
}

/// A pipeline of one filter between decode and encode, with `streams` added to those it needs.
std::string chain_with(const std::string& filter, const std::string& streams = "") {
  return R"({"nodes": [
{"name": "d", "stage": "decode"},
)" + filter +
         R"(,
{"name": "e", "stage": "encode"}],
"streams": [
{"src": "input_0:chunks", "dst": "d:chunks"},
{"src": "d:frames", "dst": "f:frames"},
{"src": "f:frames", "dst": "e:frames"},
{"src": "e:chunks", "dst": "output_0:chunks"})" +
         streams + "]}";
}

constexpr const char* kFilter =
    R"({"name": "f", "stage": "filter", "parameters": {"filter": "null"}})";

}  // namespace

TEST_CASE("pipespec: the paper's listing 2.1 is read") {
  const auto spec = parse_pipespec(kListing, "blend.json");
  REQUIRE(spec);
  CHECK(spec->inputs == std::vector<std::uint64_t>{0, 1});
  CHECK(spec->outputs == std::vector<std::uint64_t>{0});
  REQUIRE(spec->find("blend") != nullptr);
  CHECK(spec->find("blend")->delivery->name == "pair");
  CHECK(spec->find("blend")->inputs == std::vector<std::string>{"frames_0", "frames_1"});
  CHECK(spec->find("encode")->depth == 2);
  CHECK(spec->nodes.back().name == "encode");
}

TEST_CASE("pipespec: the shipped ones are right") {
  const std::filesystem::path folder =
      std::filesystem::path(PARTICLE_TEST_SOURCE_DIR) / "../fleet/sprocket/pipelines";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    CAPTURE(entry.path().string());
    CHECK(read_pipespec(entry.path().string()));
    ++count;
  }
  CHECK(count == 4);
}

TEST_CASE("pipespec: every fault is named at once with its line") {
  const auto faults = faults_of(R"({"nodes": [
{"name": "a", "stage": "decodr"},
{"name": "b", "stage": "filter", "delivery_function": "pears"},
{"name": "b", "stage": "encode", "colour": "red"}],
"streams": [
{"src": "input_0:chunks", "dst": "a:chunks"},
{"src": "a:frames", "dst": "b:pictures"},
{"src": "c:frames", "dst": "b:frames"}]})");
  const std::vector<std::string> expected{
      "p.json:2: node \"a\": no stream begins at it: its work would be lost",
      "p.json:2: node \"a\": stage: there is no stage \"decodr\"; there are blend, decode, encode, "
      "exec, filter, null, scene_change, exec:/PATH",
      "p.json:3: node \"b\": delivery_function: there is no \"pears\"; there are default, pair, "
      "in_order_frames, in_order_scenes, split",
      "p.json:3: node \"b\": no stream begins at it: its work would be lost",
      "p.json:3: node \"b\": parameters: filter: is missing: the chain, as ffmpeg's -vf takes it",
      "p.json:4: node \"b\": name: another node has it",
      "p.json:4: node \"b\": unknown key \"colour\"",
      "p.json:7: dst \"b:pictures\": the identifier must begin with its type: chunks, frames or "
      "scenes",
      "p.json:8: stream c:frames -> b:frames: there is no node \"c\""};
  CHECK(faults == expected);
}

TEST_CASE("pipespec: a cycle is named node by node") {
  const auto faults = faults_of(R"({"nodes": [
{"name": "a", "stage": "blend", "delivery_function": "pair"},
{"name": "b", "stage": "filter", "parameters": {"filter": "null"}},
{"name": "d", "stage": "decode"}],
"streams": [
{"src": "input_0:chunks", "dst": "d:chunks"},
{"src": "d:frames", "dst": "a:frames_0"},
{"src": "b:frames", "dst": "a:frames_1"},
{"src": "a:frames", "dst": "b:frames"}]})");
  REQUIRE(faults.size() == 1);
  CHECK(faults.front() == "p.json:9: stream a:frames -> b:frames: a cycle: a -> b -> a");
}

TEST_CASE("pipespec: types of both ends must match and suit the stages") {
  const auto faults = faults_of(R"({"nodes": [
{"name": "d", "stage": "decode"},
{"name": "e", "stage": "encode"}],
"streams": [
{"src": "input_0:chunks", "dst": "d:chunks"},
{"src": "d:frames", "dst": "e:chunks"},
{"src": "e:frames", "dst": "output_0:frames"}]})");
  const std::vector<std::string> expected{
      "p.json:6: stream d:frames -> e:chunks: dst takes chunks, src gives frames",
      "p.json:6: stream d:frames -> e:chunks: stage encode takes frames or scenes",
      "p.json:7: stream e:frames -> output_0:frames: an output takes chunks",
      "p.json:7: stream e:frames -> output_0:frames: stage encode gives chunks"};
  CHECK(faults == expected);
}

TEST_CASE("pipespec: a stream that is there twice or ends where another does") {
  CHECK(faults_of(chain_with(kFilter, ",\n{\"src\": \"d:frames\", \"dst\": \"f:frames\"}")) ==
        std::vector<std::string>{"p.json:10: stream d:frames -> f:frames: it is there twice"});
  CHECK(
      faults_of(chain_with(kFilter, ",\n{\"src\": \"f:frames\", \"dst\": \"f:frames\"}")).front() ==
      "p.json:10: stream f:frames -> f:frames: a cycle: f -> f");
}

TEST_CASE("pipespec: a node without streams dangles") {
  const auto faults = faults_of(chain_with(
      std::string(kFilter) +
      ",\n{\"name\": \"g\", \"stage\": \"filter\", \"parameters\": {\"filter\": \"null\"}}"));
  CHECK(faults == std::vector<std::string>{
                      "p.json:4: node \"g\": no stream begins at it: its work would be lost",
                      "p.json:4: node \"g\": no stream ends at it"});
}

TEST_CASE("pipespec: wrong parameters name their key and line") {
  const auto faults = faults_of(chain_with(R"({"name": "f", "stage": "filter",
"delivery_function": "in_order_frames",
"delivery_parameters": {
  "frames": 0,
  "colour": 3},
"parameters": {
  "filter": 7,
  "drops_frames": "no",
  "codec": "x"}})"));
  const std::vector<std::string> expected{
      "p.json:6: node \"f\": delivery_parameters: frames: must be a whole number above 0",
      "p.json:7: node \"f\": delivery_parameters: colour: delivery function in_order_frames has no "
      "such parameter",
      "p.json:9: node \"f\": parameters: filter: must be text that is not empty",
      "p.json:10: node \"f\": parameters: drops_frames: must be true or false",
      "p.json:11: node \"f\": parameters: codec: stage filter has no such parameter"};
  CHECK(faults == expected);
}

TEST_CASE("pipespec: a delivery function has as many inputs as it delivers from") {
  const auto faults = faults_of(chain_with(
      R"({"name": "f", "stage": "filter", "delivery_function": "pair", "parameters": {"filter": "null"}})"));
  CHECK(faults == std::vector<std::string>{
                      "p.json:3: node \"f\": delivery_function: pair delivers from 2 to 16 input "
                      "streams, not 1"});
}

TEST_CASE("pipespec: a delivery function delivers what it can cut") {
  CHECK(
      faults_of(chain_with(
          R"({"name": "f", "stage": "filter", "delivery_function": "in_order_scenes", "parameters": {"filter": "null"}})")) ==
      std::vector<std::string>{
          "p.json:3: node \"f\": delivery_function: in_order_scenes delivers scenes, and frames is "
          "of type frames"});
  std::string text = chain_with(kFilter);
  text.replace(text.find(R"("decode"})"), 9, R"("decode", "delivery_function": "split"})");
  CHECK(faults_of(text) ==
        std::vector<std::string>{"p.json:2: node \"d\": delivery_function: split delivers raw "
                                 "frames, and chunks is of type "
                                 "chunks"});
}

TEST_CASE("pipespec: what is not JSON is named by its line") {
  CHECK(faults_of("{\"nodes\": [\n{\"name\": \"a\",,}]}")
            .front()
            .starts_with("p.json:2: not JSON: "));
  CHECK(faults_of("").front().starts_with("p.json:1: not JSON: "));
  CHECK(faults_of("[]") == std::vector<std::string>{
                               "p.json:1: a pipespec is an object with \"nodes\" and \"streams\""});
  CHECK(faults_of("{\"nodes\": [],\n\"nodes\": 3}") ==
        std::vector<std::string>{"p.json:1: \"streams\" must be a list that is not empty",
                                 "p.json:2: \"nodes\" must be a list that is not empty",
                                 "p.json:2: key \"nodes\" is given twice"});
}

TEST_CASE("pipespec: an executable is a stage by its absolute path") {
  CHECK(parse_pipespec(
      chain_with(R"({"name": "f", "stage": "exec:/bin/cat", "parameters": {"x": 1}})"), "p.json"));
  CHECK(faults_of(chain_with(R"({"name": "f", "stage": "exec:cat"})")).size() == 1);
}
