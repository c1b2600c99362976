// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <doctest/doctest.h>

#include <particle_fleet/dag.hpp>

namespace {

using namespace particle;
using namespace particle::fleet;

Stage stage_of(const std::string& name, std::vector<std::string> after = {},
               Delivery delivery = Delivery::each) {
  Stage stage;
  stage.name = name;
  stage.function.command = {"cat"};
  stage.after = std::move(after);
  stage.delivery = delivery;
  return stage;
}

Dag dag_of(std::vector<Stage> stages) {
  Dag dag;
  dag.id = "d";
  dag.pool = "p";
  dag.stages = std::move(stages);
  return dag;
}

InstanceResult ok_with(const std::string& output) {
  InstanceResult result;
  result.ended = Ended::ok;
  result.output = output;
  return result;
}

std::string text_of(const Error& error) {
  std::string out = error.message();
  for (const std::string& detail : error.details) out += "\n" + detail;
  return out;
}

}  // namespace

TEST_CASE("dag: each hands an output on as soon as it is there") {
  Dag dag = dag_of({stage_of("a"), stage_of("b", {"a"}), stage_of("c", {"b"})});
  dag.stages[0].inputs = {"x", "y"};
  REQUIRE(check_dag(dag));
  DagPlan plan(dag);
  auto ready = plan.take_ready();
  REQUIRE(ready.size() == 2);
  CHECK(ready[1].instance.input == "y");
  plan.end(0, 1, ok_with("Y"));
  ready = plan.take_ready();
  REQUIRE(ready.size() == 1);
  CHECK(ready[0].stage == 1);
  CHECK(ready[0].instance.index == 1);
  CHECK(ready[0].instance.input == "Y");
  // The second stage's instance 1 goes on while the first's instance 0 still runs.
  plan.end(1, 1, ok_with("YY"));
  CHECK(plan.take_ready().front().stage == 2);
  plan.end(2, 1, ok_with("YYY"));
  CHECK_FALSE(plan.over());
  plan.end(0, 0, ok_with("X"));
  plan.end(1, 0, ok_with("XX"));
  plan.end(2, 0, ok_with("XXX"));
  CHECK(plan.over());
  CHECK(plan.results()[2][0].output == "XXX");
}

TEST_CASE("dag: all is a barrier whose instances get every output in order") {
  Dag dag = dag_of({stage_of("a"), stage_of("b"), stage_of("sum", {"b", "a"}, Delivery::all)});
  dag.stages[0].inputs = {"1", "2"};
  dag.stages[2].count = 2;
  REQUIRE(check_dag(dag));
  DagPlan plan(dag);
  CHECK(plan.take_ready().size() == 3);
  plan.end(0, 1, ok_with("two "));
  plan.end(1, 0, ok_with("b "));
  CHECK(plan.take_ready().empty());
  plan.end(0, 0, ok_with("one "));
  const auto ready = plan.take_ready();
  REQUIRE(ready.size() == 2);
  CHECK(ready[0].instance.input == "b one two ");
  CHECK(ready[1].instance.input == "b one two ");
}

TEST_CASE("dag: what waits for a failed instance is not started and says why") {
  Dag dag = dag_of({stage_of("a"), stage_of("b", {"a"}), stage_of("end", {"b"}, Delivery::all)});
  dag.stages[0].inputs = {"x", "y"};
  DagPlan plan(dag);
  static_cast<void>(plan.take_ready());
  InstanceResult failed;
  failed.ended = Ended::timed_out;
  plan.end(0, 0, failed);
  CHECK(plan.results()[1][0].detail == "not started: instance 0 of stage a was timed_out");
  CHECK(plan.results()[2][0].ended == Ended::refused);
  plan.end(0, 1, ok_with("Y"));
  const auto ready = plan.take_ready();
  REQUIRE(ready.size() == 1);
  plan.end(1, 1, ok_with("YY"));
  CHECK(plan.take_ready().empty());
  CHECK(plan.over());
}

TEST_CASE("dag: every fault is named at once") {
  Dag dag = dag_of({stage_of("a"), stage_of("a"), stage_of("b", {"nowhere"}), stage_of("c", {"d"}),
                    stage_of("d", {"c"}), stage_of("e", {"e"}), stage_of("g", {"x", "y"}),
                    stage_of("x"), stage_of("y")});
  dag.stages[7].count = 2;
  dag.stages[8].inputs = {"1", "2", "3"};
  dag.stages[8].count = 7;
  dag.stages[2].inputs = {"1"};
  dag.stages[0].function.command.clear();
  const auto verdict = check_dag(dag);
  REQUIRE_FALSE(verdict);
  const std::string text = text_of(verdict.error());
  CAPTURE(text);
  for (const char* expected : {"stage \"a\": given twice", "after \"nowhere\": no such stage",
                               "stages c, d, e: each waits for the others",
                               "stage \"g\": the stages before it have 2 and 3",
                               "stage \"y\": count", "stage \"b\": inputs", "command: missing"}) {
    CAPTURE(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
}

TEST_CASE("dag: the JSON form is read and its faults are named") {
  const auto dag = parse_dag(
      R"({"id":"d","pool":"p","stages":[{"name":"a","function":{"command":["cat"]},"inputs":["1","2"]},)"
      R"({"name":"b","function":{"command":["wc"]},"after":["a"],"delivery":"all"}]})");
  REQUIRE(dag);
  CHECK(dag->stages[1].delivery == Delivery::all);
  CHECK(dag->stages[0].inputs.size() == 2);
  const auto wrong =
      parse_dag(R"({"id":"d","stages":[{"name":"a","delivery":"some","inputs":[1]},7],"x":1})");
  REQUIRE_FALSE(wrong);
  const std::string text = text_of(wrong.error());
  for (const char* expected :
       {"pool: missing", "stages[0].function: missing", "\"some\" is neither each nor all",
        "stages[0].inputs[0]: a string", "stages[1]: an object", "unknown key \"x\""}) {
    CAPTURE(expected);
    CHECK(text.find(expected) != std::string::npos);
  }
}
