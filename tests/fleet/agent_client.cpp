// SPDX-License-Identifier: Apache-2.0
// What the C++ interface adds to the command line: pinned instances, input while they run, DAGs.
#include <particle_fleet/client.hpp>
#include <particle_fleet/dag.hpp>

#include "agent_scene.hpp"

using namespace particle;
using namespace particle::test;

namespace {

fleet::JobSpec shell_job(const FleetScene& scene, const std::string& id, const std::string& line) {
  fleet::JobSpec job;
  job.id = id;
  job.pool = "job";
  job.function.image = scene.image();
  job.function.command = {"sh", "-c", line};
  return job;
}

fleet::InstanceSpec pinned(std::uint64_t index, const std::string& node, const std::string& line) {
  fleet::InstanceSpec instance;
  instance.index = index;
  instance.node = node;
  instance.command = {"sh", "-c", line};
  return instance;
}

}  // namespace

TEST_CASE("fleet client: instances on two nodes talk over TCP by their addresses") {
  if (!need_root()) return;
  FleetScene scene(3);
  scene.start_agents();
  auto client = must(fleet::Client::connect(scene.socket(0)));
  Record record;
  auto job = must(client.start(shell_job(scene, "talk", "exit 9"), record));
  auto server = pinned(0, "n2", "echo $PARTICLE_IP; nc -l -p 7000");
  server.keep_input = true;  // nc goes when its own input ends
  must(job->add({server}));
  REQUIRE(record.wait_for_output(0, "\n"));
  const std::string address = record.output(0).substr(0, record.output(0).find('\n'));
  must(job->add({pinned(1, "n3",
                        "for i in 1 2 3 4 5 6 7 8 9; do echo over the overlay | nc " + address +
                            " 7000 && exit 0; sleep 0.2; done; exit 1")}));
  CHECK(record.wait_for_output(0, "over the overlay"));
  must(job->finish());
  must(job->wait());
  CHECK(record.last(fleet::Phase::done, 0).node == "n2");
  CHECK(record.last(fleet::Phase::done, 1).node == "n3");
  CHECK(record.last(fleet::Phase::done, 1).ended == fleet::Ended::ok);
  const auto nowhere = job->add({pinned(2, "n9", "true")});
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().kind() == Errc::not_found);
}

TEST_CASE("fleet client: input and signals reach an instance on another node") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  auto client = must(fleet::Client::connect(scene.socket(0)));
  Record record;
  auto job = must(client.start(shell_job(scene, "ask", "exit 9"), record));
  auto reader = pinned(0, "n2", "while read line; do echo got $line; done; echo end");
  reader.input = "first\n";
  reader.keep_input = true;
  must(job->add({reader, pinned(1, "n2",
                                "trap 'echo term; exit 5' TERM; echo up; "
                                "while true; do sleep 0.1; done")}));
  REQUIRE(record.wait_for_output(0, "got first"));
  must(job->send(0, "second\n"));
  REQUIRE(record.wait_for_output(0, "got second"));
  must(job->close_input(0));
  REQUIRE(record.wait_for_output(0, "end"));
  REQUIRE(record.wait_for_output(1, "up"));
  must(job->signal(1, SIGTERM));
  REQUIRE(record.wait_for_output(1, "term"));
  must(job->finish());
  must(job->wait());
  CHECK(record.last(fleet::Phase::done, 1).status == 5);
  CHECK(job->send(0, "late").error().kind() == Errc::not_found);
}

TEST_CASE("fleet client: a job killed by another client ends for its own") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  auto client = must(fleet::Client::connect(scene.socket(0)));
  auto other = must(fleet::Client::connect(scene.socket(0)));
  Record record;
  auto job = must(client.start(shell_job(scene, "long", "sleep 100"), record));
  must(job->add(instances(6)));
  must(job->finish());
  REQUIRE(record.wait_for(fleet::Phase::started, 6));
  Record second;
  CHECK(other.start(shell_job(scene, "long", "true"), second).error().kind() ==
        Errc::already_exists);
  const auto before = std::chrono::steady_clock::now();
  must(other.kill("long"));
  must(job->wait());
  CHECK(std::chrono::steady_clock::now() - before < 1s);
  for (const auto& event : record.events(fleet::Phase::done)) {
    CHECK(event.ended == fleet::Ended::killed);
  }
}

TEST_CASE("fleet client: an agent that dies is noticed by its client") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  auto client = must(fleet::Client::connect(scene.socket(0)));
  Record record;
  auto job = must(client.start(shell_job(scene, "orphan", "sleep 100"), record));
  must(job->add(instances(4)));
  must(job->finish());
  REQUIRE(record.wait_for(fleet::Phase::started, 4));
  scene.kill_agent(0);
  const auto ended = job->wait();
  REQUIRE_FALSE(ended);
  CHECK(record.lost());
  // The other node ends its part by itself, this one when the next agent starts.
  CHECK(eventually([&] { return must(scene.node(1).leases()).empty(); }));
  scene.start_agent(0);
  CHECK(eventually([&] { return scene.leased() == 0; }));
}

TEST_CASE("fleet client: map and a DAG over the nodes") {
  if (!need_root()) return;
  FleetScene scene(2);
  scene.start_agents();
  auto client = must(fleet::Client::connect(scene.socket(0)));
  const fleet::StartFunction start = [&](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    return client.start(job, observer);
  };
  const auto doubled =
      must(fleet::map(shell_job(scene, "double", "read n; echo $((2 * n)); test $n != 3"),
                      {"1", "2\n", "3\n"}, start));
  REQUIRE(doubled.size() == 3);
  CHECK(doubled[1].output == "4\n");
  CHECK(doubled[2].ended == fleet::Ended::failed);
  CHECK(doubled[2].status == 1);

  fleet::Dag dag;
  dag.id = "sum";
  dag.pool = "job";
  fleet::Stage squares{.name = "squares",
                       .function = shell_job(scene, "x", "read n; echo $((n * n))").function,
                       .after = {},
                       .inputs = {"1\n", "2\n", "3\n", "4\n"}};
  fleet::Stage more{.name = "more",
                    .function = shell_job(scene, "x", "read n; echo $((n + 1))").function,
                    .after = {"squares"},
                    .inputs = {}};
  fleet::Stage total{
      .name = "total",
      .function =
          shell_job(scene, "x", "s=0; while read n; do s=$((s + n)); done; echo $s").function,
      .after = {"more"},
      .delivery = fleet::Delivery::all,
      .inputs = {}};
  dag.stages = {squares, more, total};
  const auto results = must(fleet::run_dag(dag, start));
  CHECK(results[1][3].output == "17\n");
  CHECK(results[2][0].output == "34\n");
}
