// SPDX-License-Identifier: Apache-2.0
/// `particle bench` and its kin from end to end.
#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <sys/mount.h>
#include <unistd.h>

#include "cli_program.hpp"
#include "support/netns_fixture.hpp"
#include "support/skip.hpp"

using namespace particle::test;
using Json = nlohmann::json;
using Words = std::vector<std::string>;
namespace fs = std::filesystem;

namespace {

constexpr int kExitInvalid = 2;
constexpr int kExitExhausted = 8;
constexpr std::chrono::minutes kBenchLimit{2};

bool appears(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kBenchLimit;
  while (!fs::exists(path)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

Words small_run(const Words& more) {
  Words words{"bench", "--design",    "consolidated", "--design",  "batched", "--endpoints",
              "2",     "--endpoints", "2000",         "--repeats", "2",       "--although-busy"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A result with these times at N = 10, on a machine of the given kernel.
void write_result(const std::string& path, const std::vector<double>& times) {
  const auto series = [](const std::vector<double>& values) { return Json{{"values", values}}; };
  const Json one = series({1});
  const Json figure{
      {"design", "anyip"},      {"endpoints", 10},        {"setup_ms", series(times)},
      {"release_ms", one},      {"gone_ms", one},         {"steps_ms", Json::object()},
      {"kernel_kib_each", one}, {"process_kib_each", one}};
  std::ofstream(path) << Json{{"format", "particle-bench"},
                              {"version", 2},
                              {"program", "test"},
                              {"complete", true},
                              {"machine", {{"kernel", "1"}}},
                              {"settings", Json::object()},
                              {"designs", Json::array()},
                              {"figures", {figure}},
                              {"skipped", Json::array()},
                              {"notes", Json::array()},
                              {"traces", Json::array()}};
}

}  // namespace

TEST_CASE("bench: measures, writes its results, and a page and a comparison are made of them") {
  if (!need_namespaces()) return;
  TempRunDir directory;
  const std::string results = directory.file("results.json");
  const auto run = run_particle(small_run({"--json", "--out", results}));
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  const Json printed = parse_output(run);
  CHECK(schema_violations(printed, "bench") == Words{});
  CHECK(Json::parse(read_file(results)) == printed);
  CHECK(printed.at("complete") == true);
  // The largest size is beyond what batched does, which is said.
  CHECK(printed.at("figures").size() == 3);
  REQUIRE(printed.at("skipped").size() == 1);
  CHECK(printed.at("skipped")[0].at("design") == "batched");
  for (const auto& figure : printed.at("figures")) {
    CHECK(figure.at("setup_ms").at("values").size() == 2);
  }

  const std::string page = directory.file("page.html");
  const std::string csv = directory.file("figures.csv");
  const auto report =
      run_particle({"bench", "report", results, "-o", page, "--csv", csv, "--json"});
  INFO(report.err);
  REQUIRE(report.exit_code == 0);
  CHECK(schema_violations(parse_output(report), "bench-report") == Words{});
  CHECK(read_file(page).find("</html>") != std::string::npos);
  CHECK(read_file(csv).find("consolidated,2,setup,ms,2,") != std::string::npos);

  const auto drawn =
      run_particle({"bench", "report", results, "-o", page, "--png", directory.path()});
  if (run_command({"rsvg-convert", "--version"}).exit_code == 127) {
    CHECK(drawn.exit_code == kExitNotFound);
    CHECK(drawn.err.find("librsvg2-bin") != std::string::npos);
  } else {
    INFO(drawn.err);
    CHECK(drawn.exit_code == 0);
    CHECK(read_file(directory.file("setup.png")).starts_with("\x89PNG"));
  }

  const auto compared = run_particle({"bench", "compare", results, results, "--json"});
  CHECK(compared.exit_code == 0);
  CHECK(schema_violations(parse_output(compared), "bench-compare") == Words{});
}

TEST_CASE("bench list: every design with what it is") {
  const Json list = parse_output(run_particle({"bench", "list", "--json"}));
  CHECK(schema_violations(list, "bench-list") == Words{});
  CHECK(list.at("designs").size() == 17);
  const auto text = run_particle({"bench-list"});
  CHECK(text.exit_code == 0);
  for (const auto& design : list.at("designs")) {
    CHECK(text.out.find(design.at("name").get<std::string>()) != std::string::npos);
  }
}

TEST_CASE("bench: wrong options are named, all at once, and nothing is measured") {
  const auto result = run_particle(
      {"bench", "--design", "magic", "--endpoints", "0", "--repeats", "none", "--quick"});
  CHECK(result.exit_code == kExitInvalid);
  for (const char* word :
       {"--design magic", "--endpoints 0", "--repeats none", "isolated-in-place"}) {
    CAPTURE(word);
    CHECK(result.err.find(word) != std::string::npos);
  }
  CHECK(run_particle({"bench", "--quick", "--out", "/no/such/directory/x.json"}).exit_code ==
        kExitNotFound);
  CHECK(run_particle({"bench", "--quick", "--out", "/tmp"}).exit_code == kExitInvalid);
}

TEST_CASE("bench: an ordinary user measures in a user namespace") {
  if (geteuid() != 0) return skip("the other tests run as that user");
  TempRunDir directory;
  fs::permissions(directory.path(), fs::perms(0755));
  const std::string copy = directory.file("particle");
  fs::copy_file(particle_program(), copy);
  const auto result = run_command({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                   copy, "bench", "--design", "anyip", "--endpoints", "5",
                                   "--repeats", "1", "--although-busy", "--json"});
  if (result.exit_code == 5) return skip("user namespaces are not allowed here");
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(Json::parse(result.out).at("figures").size() == 1);
}

TEST_CASE("bench: Ctrl-C keeps what was measured, kill -9 leaves nothing") {
  if (!need_namespaces()) return;
  TempRunDir directory;
  const std::string results = directory.file("results.json");
  const Words words{particle_program(), "bench",  "--design",  "anyip",
                    "--endpoints",      "3",      "--repeats", "1000",
                    "--although-busy",  "--json", "--out",     results};
  Command interrupted(words);
  REQUIRE(appears(results));
  interrupted.signal(SIGINT);
  const auto result = interrupted.finish(kBenchLimit);
  INFO(result.err);
  CHECK(result.exit_code == kExitInterrupted);
  const Json kept = Json::parse(read_file(results));
  CHECK(kept.at("complete") == false);
  CHECK(kept.at("figures").at(0).at("setup_ms").at("repeats") > 0);
  CHECK(schema_violations(kept, "bench") == Words{});

  fs::remove(results);
  Command killed(words);
  REQUIRE(appears(results));
  killed.signal(SIGKILL);
  CHECK(killed.finish(kBenchLimit).exit_code == 128 + SIGKILL);
  CHECK(Json::parse(read_file(results)).at("complete") == false);
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    CHECK(line.find("particle-bench") == std::string::npos);
  }
}

TEST_CASE("bench: a full disk loses no measurement") {
  if (!need_namespaces()) return;
  TempRunDir directory;
  REQUIRE(mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=4k") == 0);
  std::ofstream(directory.file("filler")) << std::string(4096, 'x');
  const auto result =
      run_particle({"bench", "--design", "anyip", "--endpoints", "2", "--repeats", "1",
                    "--although-busy", "--json", "--out", directory.file("results.json")});
  INFO(result.err);
  CHECK(result.exit_code == kExitExhausted);
  CHECK(result.err.find("No space left on device") != std::string::npos);
  CHECK(schema_violations(Json::parse(result.out), "bench") == Words{});
  CHECK_FALSE(fs::exists(directory.file("results.json")));
  umount2(directory.path().c_str(), MNT_DETACH);
}

TEST_CASE("bench compare: a regression is an exit code") {
  TempRunDir directory;
  write_result(directory.file("before.json"), {1.00, 1.01, 1.02, 1.03, 1.04});
  write_result(directory.file("after.json"), {1.50, 1.51, 1.52, 1.53, 1.54});
  const Words files{directory.file("before.json"), directory.file("after.json")};
  const auto worse = run_particle({"bench", "compare", files[0], files[1]});
  CHECK(worse.exit_code == 1);
  CHECK(worse.out.find("slower") != std::string::npos);
  CHECK(run_particle({"bench", "compare", files[1], files[0]}).exit_code == 0);
  CHECK(run_particle({"bench", "compare", files[0], files[1], "--threshold", "80"}).exit_code == 0);
  CHECK(run_particle(
            {"bench", "compare", files[0], files[1], "--threshold", "x", "--confidence", "100"})
            .exit_code == kExitInvalid);
  CHECK(run_particle({"bench", "compare", files[0], "/no/such/file"}).exit_code == kExitNotFound);
}

TEST_CASE("bench report: a file of another version or kind is refused clearly") {
  TempRunDir directory;
  std::ofstream(directory.file("new.json")) << R"({"format": "particle-bench", "version": 99})";
  std::ofstream(directory.file("other.json")) << "[]";
  const auto newer = run_particle({"bench", "report", directory.file("new.json")});
  CHECK(newer.exit_code == kExitInvalid);
  CHECK(newer.err.find("version 99") != std::string::npos);
  CHECK(run_particle({"bench", "report", directory.file("other.json")}).exit_code == kExitInvalid);
  CHECK(run_particle({"bench", "report", directory.path()}).exit_code != 0);
  CHECK_FALSE(fs::exists(directory.file("new.html")));
}
