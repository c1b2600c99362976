// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include <doctest/doctest.h>

#include <particle_fleet/failure.hpp>

namespace {

using namespace particle::fleet;
using namespace std::chrono_literals;

Event ended(Ended how, int status, const std::string& node, std::uint32_t attempt = 0) {
  Event event;
  event.job = "nightly";
  event.instance = 7;
  event.attempt = attempt;
  event.node = node;
  event.phase = Phase::done;
  event.ended = how;
  event.status = status;
  return event;
}

struct Told {
  Function function;
  FailureFacts facts;
  explicit Told(Event done) {
    facts.done = std::move(done);
    facts.pool = "job";
    facts.function = &function;
  }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
  ~Told() = default;
  [[nodiscard]] Failure failure() const { return describe_failure(facts); }
};

}  // namespace

TEST_CASE("fleet failure: an exit status names job, instance, node, attempts and last words") {
  Told told(ended(Ended::failed, 3, "n2", 2));
  told.facts.before = {ended(Ended::failed, 3, "n1", 0), ended(Ended::signalled, SIGKILL, "n3", 1)};
  told.facts.errors = "starting\ncannot open /data/x\ngiving up\n";
  told.facts.has_agent = true;
  CHECK(told.failure().to_text() ==
        "instance 7 of job nightly on node n2 exited with status 3; tried 3 times (n1: status 3, "
        "n3: SIGKILL, n2: status 3)\n"
        "  the end of its stderr:\n"
        "    starting\n"
        "    cannot open /data/x\n"
        "    giving up\n"
        "  next: its own words say why; `particle fleet logs nightly --instance 7` has all that it "
        "wrote\n");
}

TEST_CASE("fleet failure: every way of ending has words and advice of its own") {
  struct Case {
    Event done;
    const char* what;
    const char* next;
  };
  Event missing = ended(Ended::refused, 0, "n1");
  missing.detail = "exec no-such-program: No such file or directory";
  Event lost = ended(Ended::lost, 0, "n2");
  lost.detail = "node n2 is lost: the agent closed the connection: I/O error";
  const Case cases[] = {
      {ended(Ended::failed, 127, "n1"),
       "exited with status 127 (of a shell: a command was not found); tried once", "stderr"},
      {ended(Ended::failed, 126, "n1"), "(of a shell: a command cannot be executed)", ""},
      {ended(Ended::failed, 137, "n1"), "(of a shell: a command was ended by SIGKILL)", ""},
      {ended(Ended::failed, 255, "n1"), "exited with status 255; tried once", ""},
      {ended(Ended::signalled, SIGKILL, "n1"), "was ended by signal 9 (SIGKILL); tried once",
       "dmesg"},
      {ended(Ended::signalled, SIGSEGV, "n1"), "was ended by signal 11 (SIGSEGV)", "it crashed"},
      {ended(Ended::signalled, SIGSYS, "n1"), "(SIGSYS)", "seccomp"},
      {ended(Ended::signalled, 40, "n1"), "was ended by signal 40 (signal 40)", "signal"},
      {ended(Ended::out_of_memory, 9, "n1"),
       "was ended by the kernel: it needed more memory than its 64 MiB; tried once", "--memory"},
      {ended(Ended::timed_out, 9, "n1"), "was ended when its time was over: 1500 ms; tried once",
       "--timeout"},
      {ended(Ended::killed, 9, "n1"), "was killed, as somebody asked; tried once", ""},
      {lost, "on node n2 was lost with its node: the agent closed the connection: I/O error",
       "--retries starts it anew on another"},
      {missing, "was not started: exec no-such-program: No such file or directory",
       "image /images/base has this command"},
  };
  for (const Case& one : cases) {
    Told told(one.done);
    told.function.image = "/images/base";
    told.function.limits.memory = 64U << 20;
    told.function.limits.wall_time = 1500ms;
    const Failure failure = told.failure();
    CAPTURE(failure.what);
    CAPTURE(failure.next);
    CHECK(failure.what.starts_with("instance 7 of job nightly on node n"));
    CHECK(failure.what.find(one.what) != std::string::npos);
    CHECK(failure.next.find(one.next) != std::string::npos);
  }
}

TEST_CASE("fleet failure: an instance that no node is left for says how it was tried") {
  Event refused = ended(Ended::refused, 0, "n1", 1);
  refused.detail = "no node with pool job is left";
  Told told(refused);
  told.facts.before = {ended(Ended::lost, 0, "n2")};
  const Failure failure = told.failure();
  CHECK(
      failure.what ==
      "instance 7 of job nightly on node n1 was not started again: no node with pool job is left; "
      "tried once (n2: lost)");
  CHECK(failure.next.find("particle fleet nodes --pool job") != std::string::npos);
}

TEST_CASE("fleet failure: last words are few, short and without control bytes") {
  CHECK(last_lines("", 5).empty());
  CHECK(last_lines("\n \n", 5).empty());
  CHECK(last_lines("a\nb\n\nc", 2) == std::vector<std::string>{"b", "c"});
  CHECK(last_lines("one\r\n", 5) == std::vector<std::string>{"one"});
  CHECK(last_lines("\x1b[31mred\x07\n", 5) == std::vector<std::string>{"[31mred"});
  const auto cut = last_lines(std::string(1000, 'x'), 5);
  REQUIRE(cut.size() == 1);
  CHECK(cut[0] == std::string(200, 'x') + " ...");
}
