// SPDX-License-Identifier: Apache-2.0
// Which process holds a lease: one that cannot be mistaken for a later one with its pid.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "unit/lease_scene.hpp"

using namespace particle;
using namespace particle::test::lease;

TEST_CASE("process: this one is alive, and not another one with its pid") {
  const auto self = identify_process(::getpid());
  REQUIRE(self.has_value());
  CHECK(self->pid == ::getpid());
  CHECK(self->start_time > 0);
  CHECK(alive(*self));
  CHECK_FALSE(alive({.pid = self->pid, .start_time = self->start_time + 1}));
  CHECK_FALSE(identify_process(0).has_value());
  CHECK_FALSE(identify_process(-1).has_value());
  CHECK_FALSE(alive({.pid = 0, .start_time = 0}));
}

TEST_CASE("process: a child is alive until it ends, a zombie is not") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    ::_exit(::read(ends[0], &byte, 1) < 0 ? 1 : 0);
  }
  const auto id = identify_process(child);
  REQUIRE(id.has_value());
  CHECK(alive(*id));
  ::close(ends[0]);
  ::close(ends[1]);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(alive(*id));
  CHECK_FALSE(identify_process(child).has_value());
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK_FALSE(alive(*id));
}
