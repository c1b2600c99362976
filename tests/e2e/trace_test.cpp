// SPDX-License-Identifier: Apache-2.0
/// `particle trace` on a real kernel: what it attributes is what the command did.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <unistd.h>

#include "cli_program.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

using namespace particle::test;
using Json = nlohmann::json;
using Words = std::vector<std::string>;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes kTraceLimit{1};

bool appears(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kTraceLimit;
  while (!fs::exists(path)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

/// The trace of a command, or nothing when this kernel has no eBPF to trace with.
std::optional<Json> traced(const Words& command, int exit_code = 0) {
  Words words{"trace", "--json", "--"};
  words.insert(words.end(), command.begin(), command.end());
  const auto result = run_particle(words);
  INFO(result.err);
  REQUIRE(result.exit_code == exit_code);
  Json trace = parse_output(result);
  CHECK(schema_violations(trace, "trace") == Words{});
  for (const auto& missing : trace.at("missing")) {
    if (missing.get<std::string>().starts_with("eBPF")) {
      skip("no eBPF here: " + missing.get<std::string>());
      return std::nullopt;
    }
  }
  return trace;
}

/// Without waiting for a processor or for the rtnl lock: others on a busy machine make both as long as
/// they like.
double active_ms(const Json& row) {
  return row.at("ms").get<double>() - row.at("runnable_ms").get<double>() -
         row.at("rtnl_ms").get<double>();
}

double ms_of(const Json& operations, const std::string& id) {
  for (const auto& row : operations) {
    if (row.at("id") == id) return row.at("ms");
  }
  return 0;
}

const Json* step_of(const Json& trace, const std::string& name) {
  for (const auto& step : trace.at("steps")) {
    if (step.at("name") == name) return &step;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("trace: a command's namespaces are found, in its children too, and its status returned") {
  if (!need_root()) return;
  const auto trace =
      traced({"sh", "-c", "for i in 1 2 3 4 5 6 7 8; do unshare --net true; done; exit 7"}, 7);
  if (!trace) return;
  CHECK(trace->at("exit_code") == 7);
  CHECK(trace->at("execs") >= 17);  // sh, and unshare and true eight times
  CHECK(trace->at("forks") == 8);
  CHECK(ms_of(trace->at("operations"), "namespace") > 0.5);
  CHECK(trace->at("own_ms") > 0);
  double shares = 0;
  for (const auto& row : trace->at("operations")) shares += row.at("share").get<double>();
  CHECK(shares == doctest::Approx(1.0));
}

TEST_CASE("trace: a command that only waits took no time") {
  if (!need_root()) return;
  const auto trace = traced({"sleep", "0.3"});
  if (!trace) return;
  CHECK(trace->at("wall_ms") >= 300);
  CHECK(trace->at("idle_ms") >= 290);
  // Not the whole: on a busy machine it may wait for a processor for long.
  double running = 0;
  for (const auto& row : trace->at("operations")) running += row.at("running_ms").get<double>();
  CHECK(running < 100);
}

TEST_CASE("trace: moves are found in the steps that move, and are nowhere in a pool") {
  if (!need_root()) return;
  const auto measured = [](const std::string& design) {
    return traced({particle_program(), "bench", "--design", design, "--endpoints", "4", "--repeats",
                   "1", "--although-busy"});
  };
  const auto moved = measured("netlink-moved");
  if (!moved) return;
  if (moved->at("steps").empty()) return skip("built without sys/sdt.h: no step marks");
  for (const char* name : {"S3", "S4"}) {
    CAPTURE(name);
    const Json* step = step_of(*moved, name);
    REQUIRE(step != nullptr);
    CHECK(step->at("count") == 8);  // four, and four to warm up
    double all = 0;
    double moves = 0;
    for (const auto& row : step->at("operations")) {
      all += active_ms(row);
      if (row.at("id") == "moves") moves = active_ms(row);
    }
    CHECK(moves > all / 2);
  }
  const Json* first = step_of(*moved, "S1");
  REQUIRE(first != nullptr);
  CHECK(ms_of(first->at("operations"), "moves") == 0);

  const auto pool = measured("consolidated");
  REQUIRE(pool.has_value());
  CHECK(ms_of(pool->at("operations"), "moves") == 0);
  CHECK(step_of(*pool, "S2") != nullptr);
}

TEST_CASE("trace: files for the report and the eye, stdout stays the command's") {
  if (!need_root()) return;
  TempRunDir directory;
  const std::string out = directory.file("trace.json");
  const std::string flame = directory.file("flame.svg");
  const auto result = run_particle({"trace", "--out", out, "--flame", flame, "--", "sh", "-c",
                                    "for i in 1 2 3 4 5; do unshare -n true; done; echo mine"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(result.out == "mine\n");
  CHECK(result.err.find("creating namespaces") != std::string::npos);
  std::ifstream written(out);
  const Json trace = Json::parse(written);
  CHECK(schema_violations(trace, "trace") == Words{});
  std::ostringstream svg;
  svg << std::ifstream(flame).rdbuf();
  CHECK(svg.str().find("copy_net_ns") != std::string::npos);
}

TEST_CASE("trace: a process that runs already, for a time or until it ends") {
  if (!need_root()) return;
  Command process({"sh", "-c", "while :; do unshare --net true; done"});
  const auto result =
      run_particle({"trace", "--json", "-p", std::to_string(process.pid()), "--seconds", "0.5"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json trace = parse_output(result);
  CHECK(schema_violations(trace, "trace") == Words{});
  CHECK(trace.at("process") == process.pid());
  CHECK(trace.at("wall_ms") >= 490);
  CHECK(ms_of(trace.at("operations"), "namespace") > 0);
  process.signal(SIGKILL);
  CHECK(run_particle({"trace", "-p", "4194304"}).exit_code == 3);
}

TEST_CASE("trace: without privileges the command runs, is timed, and what is missing is said") {
  if (geteuid() != 0) return skip("needs root, to give it up");
  TempRunDir directory;
  fs::permissions(directory.path(), fs::perms(0755));
  const std::string copy = directory.file("particle");
  fs::copy_file(particle_program(), copy);
  const auto result =
      run_command({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", copy, "trace",
                   "--json", "--", "sh", "-c", "sleep 0.05; exit 5"});
  INFO(result.err);
  CHECK(result.exit_code == 5);
  const Json trace = Json::parse(result.out);
  CHECK(trace.at("wall_ms") >= 50);
  REQUIRE(trace.at("missing").size() == 1);
  CHECK(trace.at("missing")[0].get<std::string>().find("CAP_BPF") != std::string::npos);
  CHECK(trace.at("operations").empty());
}

TEST_CASE("trace: kernel functions are timed call by call, or it is said why not") {
  if (!need_root()) return;
  const auto trace = traced({"unshare", "--net", "true"});
  if (!trace) return;
  const std::string way = trace->at("functions_by");
  const bool said =
      std::any_of(trace->at("missing").begin(), trace->at("missing").end(), [](const Json& each) {
        return each.get<std::string>().starts_with("exact times of kernel functions (fentry: ");
      });
  CHECK(way.empty() == said);
  if (way.empty()) {
    CHECK(trace->at("functions").empty());
    return skip("neither fentry nor kprobes here; ctest -L emulation has a kernel with both");
  }
  CHECK(std::any_of(trace->at("functions").begin(), trace->at("functions").end(),
                    [](const Json& each) {
                      return each.at("function") == "copy_net_ns" && each.at("count") == 1;
                    }));
}

TEST_CASE("trace: wrong options are named, a command that cannot be run says why") {
  const auto result =
      run_particle({"trace", "--hertz", "0", "--seconds", "x", "--functions", "dtrace"});
  CHECK(result.exit_code == 2);
  for (const char* word : {"--hertz 0", "--seconds x", "--functions dtrace", "nothing to trace"}) {
    CAPTURE(word);
    CHECK(result.err.find(word) != std::string::npos);
  }
  CHECK(run_particle({"trace", "-p", "1", "--", "true"}).exit_code == 2);
  CHECK(run_particle({"trace", "--seconds", "1", "--", "true"}).exit_code == 2);
  CHECK(run_particle({"trace", "--", "no-such-program-anywhere"}).exit_code == 127);
}

TEST_CASE("trace: Ctrl-C reaches the command, and the trace comes all the same") {
  if (!need_root()) return;
  TempRunDir directory;
  const std::string ready = directory.file("ready");
  Command command({particle_program(), "trace", "--json", "--", "sh", "-c",
                   "trap 'exit 9' INT; : >" + ready + "; while :; do sleep 0.05; done"});
  REQUIRE(appears(ready));
  command.signal(SIGINT);
  const auto result = command.finish(kTraceLimit);
  INFO(result.err);
  CHECK(result.exit_code == 9);
  CHECK(Json::parse(result.out).at("exit_code") == 9);
}
