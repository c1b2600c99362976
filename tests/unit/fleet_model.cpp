// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <doctest/doctest.h>

#include <particle_fleet/agent.hpp>
#include <particle_fleet/timeline.hpp>

#include "agent/job_record.hpp"
#include "model/base64.hpp"
#include "model/job_json.hpp"
#include "wire/address.hpp"
#include "wire/channel.hpp"
#include "wire/error_json.hpp"

namespace {

using namespace particle;
using namespace particle::fleet;

Event event_of(std::uint64_t instance, Phase phase, int ms) {
  Event event;
  event.job = "j";
  event.instance = instance;
  event.node = "n1";
  event.phase = phase;
  event.at =
      std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'000 + ms));
  if (phase == Phase::done) event.ended = Ended::ok;
  return event;
}

std::string all_of(const Error& error) {
  std::string out = error.message();
  for (const std::string& detail : error.details) out += "\n" + detail;
  return out;
}

Error faults_of_job(const std::string& text) {
  auto value = parse_json(text, "job");
  if (!value) return value.error();
  Faults faults;
  static_cast<void>(read_job(*value, "", faults));
  const auto verdict = faults.verdict("job");
  return verdict ? Error() : verdict.error();
}

}  // namespace

TEST_CASE("fleet event: a line of JSON reads back as it was") {
  Event event = event_of(7, Phase::done, 12);
  event.attempt = 2;
  event.endpoint = Endpoint{3, *IpAddress::parse("10.0.0.3"), *IpAddress::parse("2001:db8::3")};
  event.ended = Ended::out_of_memory;
  event.status = 9;
  event.detail = "over 64 MiB; \"quoted\"\n";
  const std::string line = to_json_line(event);
  CHECK(line.find('\n') == std::string::npos);
  const auto back = parse_event(line);
  REQUIRE(back);
  CHECK(back->job == "j");
  CHECK(back->attempt == 2);
  CHECK(back->at == event.at);
  CHECK(back->endpoint == event.endpoint);
  CHECK(back->ended == event.ended);
  CHECK(back->status == 9);
  CHECK(back->detail == event.detail);
  CHECK(to_json_line(*back) == line);
}

TEST_CASE("fleet event: wrong lines are refused with the key's name") {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "not JSON"},
      {"[]", "an object is expected"},
      {R"({"job":"j"})", "phase: missing"},
      {R"({"job":1,"instance":0,"phase":"queued","at_us":0})", "job: a string is expected"},
      {R"({"job":"j","instance":-1,"phase":"queued","at_us":0})", "instance: a whole number"},
      {R"({"job":"j","instance":0,"phase":"asleep","at_us":0})", "\"asleep\" is no phase"},
      {R"({"job":"j","instance":0,"phase":"queued","at_us":9223372036854775807})",
       "at_us: out of range"},
      {R"({"job":"j","instance":0,"phase":"queued","at_us":1.5})", "at_us: a whole number"},
      {R"({"job":"j","instance":0,"phase":"done","at_us":0,"ended":"well"})", "no way to end"},
      {R"({"job":"j","instance":0,"phase":"queued","at_us":0,"endpoint":{"v4":"x"}})",
       "endpoint.v4"},
      {R"({"job":"j","instance":0,"phase":"queued","at_us":0,"colour":"red"})",
       "unknown key \"colour\""},
  };
  for (const auto& [line, expected] : wrong) {
    CAPTURE(line);
    const auto event = parse_event(line);
    REQUIRE_FALSE(event);
    CHECK(event.error().kind() == Errc::invalid_argument);
    CHECK(all_of(event.error()).find(expected) != std::string::npos);
  }
}

TEST_CASE("fleet event: which end is the last") {
  Event event = event_of(0, Phase::done, 0);
  CHECK(is_last(event, 3));
  event.ended = Ended::failed;
  CHECK_FALSE(is_last(event, 1));
  event.attempt = 1;
  CHECK(is_last(event, 1));
  event.attempt = 0;
  event.ended = Ended::killed;
  CHECK(is_last(event, 1));
  event.phase = Phase::started;
  CHECK_FALSE(is_last(event, 0));
}

TEST_CASE("fleet job: JSON reads back as it was") {
  JobSpec job;
  job.id = "nightly";
  job.pool = "web";
  job.concurrency = 5;
  job.placement = Placement::most_free;
  job.function.image = "oci:/images/x:latest";
  job.function.command = {"/bin/sh", "-c", "exit 3"};
  job.function.environment = {"A=b"};
  job.function.mounts = {{"/data", "/in", false}, {"/out", "/out", true}};
  job.function.limits = {64U << 20, 0.5, 20, std::chrono::milliseconds(1500)};
  job.function.retries = 2;
  job.function.enforce = bind::Mechanism::seccomp;
  Faults faults;
  const Json json = job_to_json(job);
  const JobSpec back = read_job(json, "", faults);
  CHECK(faults.none());
  CHECK(job_to_json(back) == json);
  CHECK(back.function.limits.wall_time == job.function.limits.wall_time);
  CHECK(check_job(back));

  InstanceSpec instance;
  instance.index = 9;
  instance.input = std::string("\0\xff\n", 3);
  instance.keep_input = true;
  instance.node = "n2";
  instance.address = *IpAddress::parse("10.0.0.9");
  const InstanceSpec same = read_instance(instance_to_json(instance), "", faults);
  CHECK(faults.none());
  CHECK(same.input == instance.input);
  CHECK(same.address == instance.address);
}

TEST_CASE("fleet job: every fault of a document is named at once") {
  const Error error = faults_of_job(
      R"({"id":5,"pool":null,"function":{"command":"ls","limits":{"memory":"64M","speed":1},)"
      R"("retries":-1,"mounts":[{"source":"/a"},7]},"placement":"best"})");
  const std::string text = all_of(error);
  for (const char* expected :
       {"id: a string is expected, not 5", "pool: missing",
        "function.command: an array is expected", "function.limits.memory: a whole number",
        "function.limits.unknown key \"speed\"", "function.retries: a whole number",
        "function.mounts[0].target: missing", "function.mounts[1]: an object is expected",
        "placement: round-robin or most-free"}) {
    CAPTURE(expected);
    CAPTURE(text);
    CHECK(text.find(expected) != std::string::npos);
  }
}

TEST_CASE("fleet job: JSON that nests without end is refused") {
  const std::string deep(100'000, '[');
  CHECK(all_of(faults_of_job(deep)).find("not JSON") != std::string::npos);
  const std::string closed = std::string(200, '[') + std::string(200, ']');
  CHECK(all_of(faults_of_job(closed)).find("nested") != std::string::npos);
}

TEST_CASE("fleet job: check_job names all that is wrong") {
  JobSpec job;
  job.id = "no spaces please";
  job.function.image = "relative";
  job.function.environment = {"=x"};
  job.function.directory = "here";
  job.function.mounts = {{"/a", "/b/../..", false}, {"b", "/c", false}};
  job.function.limits.memory = 1;
  job.function.limits.cpus = 0;
  job.function.limits.pids = 0;
  job.function.limits.wall_time = std::chrono::milliseconds(-1);
  job.function.retries = 1001;
  const auto verdict = check_job(job);
  REQUIRE_FALSE(verdict);
  const std::string text = all_of(verdict.error());
  for (const char* expected :
       {"job id", "pool name", "image: \"relative\"", "command: missing", "environment",
        "directory", "has a `..`", "the source is no absolute path", "memory", "cpus", "pids",
        "wall time", "retries"}) {
    CAPTURE(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
}

TEST_CASE("base64: the RFC's own examples and every byte") {
  const std::pair<const char*, const char*> pairs[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : pairs) {
    CHECK(encode_base64(plain) == encoded);
    CHECK(decode_base64(encoded) == plain);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  CHECK(decode_base64(encode_base64(all)) == all);
  for (const char* wrong : {"Zg", "Zg=", "=", "Z===", "Zm9v!mFy", "Zh==", "Zg==Zg=="}) {
    CAPTURE(wrong);
    CHECK_FALSE(decode_base64(wrong));
  }
}

TEST_CASE("fleet wire: lines are cut from any pieces and a long one is an error") {
  LineCutter cutter(8);
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  for (const char* piece : {"a", "b\n", "\ncd\nef", "gh", "\n12345678\n"}) {
    REQUIRE(cutter.feed(piece, take));
  }
  CHECK(lines == std::vector<std::string>{"ab", "", "cd", "efgh", "12345678"});
  CHECK_FALSE(cutter.in_a_line());
  const auto longer = cutter.feed("123456789\n", take);
  REQUIRE_FALSE(longer);
  CHECK(longer.error().kind() == Errc::protocol);
}

TEST_CASE("fleet wire: addresses and peers") {
  CHECK(TcpAddress::parse("10.9.0.2:4790")->to_string() == "10.9.0.2:4790");
  CHECK(TcpAddress::parse("[2001:db8::2]:1")->to_string() == "[2001:db8::2]:1");
  for (const char* wrong : {"", "10.9.0.2", "10.9.0.2:", "10.9.0.2:0", "10.9.0.2:65536", "host:1",
                            "2001:db8::2:1", "[10.9.0.2]:1", "10.9.0.2:1x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(TcpAddress::parse(wrong));
  }
  const auto peer = AgentPeer::parse("n2=10.9.0.2:4790");
  REQUIRE(peer);
  CHECK(peer->name == "n2");
  for (const char* wrong : {"n2", "=10.9.0.2:4790", "n 2=10.9.0.2:4790", "n2=10.9.0.2"}) {
    CAPTURE(wrong);
    CHECK_FALSE(AgentPeer::parse(wrong));
  }
}

TEST_CASE("fleet wire: an error arrives as it was sent") {
  Error error = Error::from_errno(ENOENT, "open /x", "look again");
  error.details = {"one", "two"};
  const Error back = error_from_json(error_to_json(error));
  CHECK(back.message() == error.message());
  CHECK(back.kind() == Errc::not_found);
  CHECK(back.details == error.details);
  const Error own = error_from_json(error_to_json(Error::of(Errc::exhausted, "no endpoint")));
  CHECK(own.kind() == Errc::exhausted);
  CHECK(error_from_json(Json::parse("[]")).kind() == Errc::protocol);
}

TEST_CASE("fleet timeline: a start that is told late does not hide what followed it") {
  const std::vector<Event> events{event_of(0, Phase::queued, 0), event_of(0, Phase::processing, 10),
                                  event_of(0, Phase::started, 20), event_of(0, Phase::done, 100)};
  const std::string picture = draw_timeline(events);
  CHECK(picture.find("class=\"processing\"") != std::string::npos);
  CHECK(picture.find("class=\"started\"") == std::string::npos);
}

TEST_CASE("fleet timeline: a row for each instance and fewer beyond some hundreds") {
  std::vector<Event> events;
  for (std::uint64_t i = 0; i < 20; ++i) {
    events.push_back(event_of(i, Phase::queued, 0));
    events.push_back(event_of(i, Phase::started, 10 + static_cast<int>(i)));
    events.push_back(event_of(i, Phase::done, 100));
  }
  events.back().ended = Ended::failed;
  const auto count = [](const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
      ++found;
    return found;
  };
  const std::string picture = draw_timeline(events);
  CHECK(count(picture, "<title>instance ") == 20);
  CHECK(count(picture, "class=\"started\"") == 21);  // and the legend's
  CHECK(count(picture, "class=\"bad\"") == 2);
  CHECK(picture.find("j: 20 instances") != std::string::npos);
  for (std::uint64_t i = 20; i < 1000; ++i) events.push_back(event_of(i, Phase::queued, 5));
  const std::string many = draw_timeline(events);
  CHECK(count(many, "<title>instance ") == 300);
  CHECK(many.find("each row one of 4") != std::string::npos);
  CHECK(draw_timeline({}).find("no events") != std::string::npos);
}

TEST_CASE("fleet records: the end of what an instance wrote is kept and counts follow its phases") {
  JobSpec job;
  job.id = "j";
  job.function.retries = 1;
  JobRecord record(job, {});
  record.take(event_of(0, Phase::queued, 0));
  record.take(event_of(1, Phase::queued, 0));
  CHECK(record.status().queued == 2);
  record.take(event_of(0, Phase::started, 1));
  CHECK(record.status().running == 1);
  Event failed = event_of(0, Phase::done, 2);
  failed.ended = Ended::failed;
  record.take(failed);
  CHECK(record.status().queued == 2);  // it is tried again
  failed.attempt = 1;
  record.take(failed);
  CHECK(record.status().failed == 1);
  CHECK(record.status().done == 1);
  for (int i = 0; i < 100; ++i)
    record.take(0, Stream::output, std::string(1000, static_cast<char>('a' + i % 26)));
  record.take(0, Stream::error, "last words");
  std::size_t bytes = 0;
  for (const auto& piece : record.log()) bytes += piece.bytes.size();
  CHECK(bytes == kLogPerInstance);
  CHECK(record.log_bytes() == kLogPerInstance);
  CHECK(record.log().back().bytes == "last words");
}

TEST_CASE("fleet records: the last sixteen jobs that ended are kept") {
  JobRegistry registry;
  JobSpec job;
  job.id = "lives";
  REQUIRE(registry.open(job, [] {}));
  CHECK(registry.open(job, [] {}).error().kind() == Errc::already_exists);
  for (int i = 0; i < 20; ++i) {
    job.id = "j" + std::to_string(i);
    REQUIRE(registry.open(job, [] {}));
    registry.close(job.id);
  }
  CHECK(registry.list().size() == 17);
  CHECK(registry.find("lives"));
  CHECK_FALSE(registry.find("j3"));
  CHECK(registry.find("j4"));
  CHECK(registry.kill("nobody").error().kind() == Errc::not_found);
}
