// SPDX-License-Identifier: Apache-2.0
// What an operator reads of what failed for good: real instances, real nodes, real workers.
#include <fstream>

#include <sys/stat.h>

#include "agent_scene.hpp"
#include "e2e/cli_program.hpp"

using namespace particle;
using namespace particle::test;
using Json = nlohmann::json;

namespace {

/// A job's summary, as `fleet run` writes it for people.
std::string summary_of(const FleetScene& scene, const std::vector<std::string>& more) {
  std::vector<std::string> words =
      scene.run_arguments({"--id", "nightly", "--agent", scene.socket(0)});
  words.insert(words.end(), more.begin(), more.end());
  const CommandResult result = scene.fleet(0, words);
  CHECK(result.exit_code == 1);
  return result.err;
}

std::string write_script(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  return path;
}

}  // namespace

TEST_CASE("fleet words: of a job on one node each way of failing has its lines") {
  if (!need_root()) return;
  FleetScene scene(1);
  scene.start_agents();
  const std::string at = "failed: instance 0 of job nightly on node n1 ";
  std::string text = summary_of(scene, {"--", "no-such-program"});
  CHECK(holds(text, at + "was not started: exec no-such-program: No such file or directory\n"));
  CHECK(holds(text, "  next: look whether image " + scene.image() + " has this command"));

  text = summary_of(scene, {"--retries", "2", "--", "sh", "-c",
                            "echo cannot open x >&2; echo giving up >&2; exit 3"});
  CHECK(holds(text, at +
                        "exited with status 3; tried 3 times (n1: status 3, n1: status 3, n1: "
                        "status 3)\n"
                        "  the end of its stderr:\n"
                        "    cannot open x\n"
                        "    giving up\n"
                        "  next: its own words say why; `particle fleet logs nightly --instance 0` "
                        "has all that it wrote\n"));

  text = summary_of(scene, {"--", "sh", "-c", "kill -9 $$"});
  CHECK(holds(text, at + "was ended by signal 9 (SIGKILL); tried once\n"));
  CHECK(holds(text, "`dmesg` there says"));

  text = summary_of(scene, {"--memory", "16M", "--", "sh", "-c",
                            "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo $x | wc"});
  CHECK(holds(text, at + "was ended by the kernel: it needed more memory than its 16 MiB; tried "
                         "once\n"));
  CHECK(holds(text, "  next: give it more memory (--memory)"));

  text = summary_of(scene, {"--timeout", "500ms", "--", "sleep", "10"});
  CHECK(holds(text, at + "was ended when its time was over: 500 ms; tried once\n"));
  CHECK(holds(text, "  next: give it more time (--timeout)"));

  // Several ways in one job: the first of each, and how many more.
  std::ofstream(scene.file("inputs")) << "0\n5\n9\n9\n9\n";
  text = summary_of(scene, {"--inputs", scene.file("inputs"), "--", "sh", "-c",
                            "read x; test $x = 9 && kill -9 $$; exit $x"});
  CHECK(holds(text, "exited with status 5"));
  CHECK(holds(text, "was ended by signal 9 (SIGKILL)"));
  CHECK(holds(text, "(and 2 more ended so)\n"));
}

TEST_CASE("fleet words: with --json each instance that failed says the same") {
  if (!need_root()) return;
  FleetScene scene(1);
  std::ofstream(scene.file("inputs")) << "0\n3\n";
  Json result = scene.run(0, {"--id", "nightly", "--inputs", scene.file("inputs"), "--", "sh", "-c",
                              "echo no luck >&2; read x; exit $x"});
  result.erase("exit_code");
  CHECK(schema_violations(result, "fleet-run") == std::vector<std::string>{});
  std::size_t failed = 0;
  for (const Json& one : result["instances"]) {
    if (one["ended"] == "ok") {
      CHECK(one["failure"].is_null());
      continue;
    }
    ++failed;
    CHECK(holds(one["failure"]["what"], "of job nightly on node "));
    CHECK(holds(one["failure"]["what"], " exited with status 3; tried once"));
    CHECK(one["failure"]["last_words"] == Json{"no luck"});
    CHECK(one["failure"]["next"] == "its own words say why");
  }
  CHECK(failed == 1);
  CHECK(holds(result["first_error"], "exited with status 3; tried once; its last words: no luck"));
}

TEST_CASE("fleet words: a node that is lost without a spare") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  Command client(scene.command(scene.run_arguments({"--id", "nightly", "--agent", scene.socket(0),
                                                    "--count", "2", "--", "sleep", "2"})),
                 &scene.netns(0));
  REQUIRE(eventually([&] { return scene.node(1).leases()->size() == 1; }));
  scene.kill_agent(1);
  const CommandResult result = client.finish();
  CHECK(result.exit_code == 1);
  CHECK(
      holds(result.err,
            "of job nightly on node n2 was lost with its node: the agent there was killed, or its "
            "connection was cut"));
  CHECK(holds(result.err, "; tried once\n"));
  CHECK(holds(result.err,
              "`particle fleet nodes` says which nodes live; --retries starts it anew "
              "on another"));
  scene.start_agent(1);
}

TEST_CASE(
    "fleet words: of a pipeline the stage, the chunk, its frames, and where its workers ran") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  std::ofstream(scene.file("null.json")) << R"({"nodes": [{"name": "only", "stage": "null"}],
    "streams": [{"src": "input_0:chunks", "dst": "only:chunks"},
                {"src": "only:chunks", "dst": "output_0:chunks"}]})";
  const auto run_with = [&](const std::string& script) {
    const std::string worker = write_script(scene.file("worker"), "#!/bin/sh\n" + script + "\n");
    const CommandResult result =
        scene.fleet(0, {"pipeline", "run", scene.file("null.json"), "--pool", "job", "--worker",
                        worker, "--input", "null:1", "--output", "null:", "--retries", "1",
                        "--agent", scene.socket(0)});
    CHECK(result.exit_code != 0);
    return result.err;
  };
  std::string text = run_with("echo cannot work >&2; exit 3");
  CHECK(holds(text, ": only chunk 0 (frame"));
  CHECK(holds(text, "failed 2 times: the pipeline has ended\n"));
  CHECK(holds(text, "attempt 2: exit status 3: exit status 3: cannot work"));
  CHECK(holds(text, "worker instance 0 on node n"));
  CHECK(holds(text, " exited with status 3"));
  CHECK(holds(text, "--events FILE keeps what every worker did; `particle fleet logs pipeline-"));
  text = run_with("kill -9 $$");
  CHECK(holds(text, "worker instance 1 on node n"));
  CHECK(holds(text, " was ended by signal 9 (SIGKILL)"));
}
