// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>

#include <sys/wait.h>
#include <unistd.h>

#include <particle/probe.hpp>

#include "support/fd_leak.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

const ProbeResult& named(const std::vector<ProbeResult>& report, const std::string& name) {
  const auto found = std::find_if(report.begin(), report.end(),
                                  [&](const ProbeResult& result) { return result.name == name; });
  if (found == report.end()) throw std::runtime_error("no probe named " + name);
  return *found;
}

}  // namespace

TEST_CASE("probe: every result has a name of its own, a purpose, and advice about a no") {
  std::set<std::string> names;
  const auto report = probe_system();
  for (const ProbeResult& result : report) {
    CAPTURE(result.name);
    names.insert(result.name);
    CHECK_FALSE(result.purpose.empty());
    CHECK_FALSE((result.state == ProbeState::no && result.advice.empty()));
    CHECK_FALSE((result.state == ProbeState::ok && !result.advice.empty()));
  }
  CHECK(names.size() == report.size());
}

TEST_CASE("probe: what the library itself can do here is reported as ok") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const auto report = probe_system({dir.path()});
  for (const char* name : {"network-namespaces", "run-dir-writable", "pinning", "cap-net-admin",
                           "cap-sys-admin", "kernel-version", "veth-in-place"}) {
    const ProbeResult& result = named(report, name);
    CAPTURE(result.name);
    CAPTURE(result.detail);
    CHECK(result.state == ProbeState::ok);
  }
}

TEST_CASE("probe: it leaves nothing in the run directory, no descriptor and no device") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const auto links = run_command({"ip", "-o", "link"}).out;
  const FdLeak fds;
  static_cast<void>(probe_system({dir.path()}));
  CHECK(std::filesystem::is_empty(dir.path()));
  CHECK(fds.leaked() == std::vector<std::string>{});
  CHECK(run_command({"ip", "-o", "link"}).out == links);
}

TEST_CASE("probe: a run directory that does not exist is judged by its parent and not made") {
  if (!need_namespaces()) return;
  const TempRunDir dir;
  const auto report = probe_system({dir.file("a/b")});
  CHECK(named(report, "run-dir-writable").state == ProbeState::ok);
  CHECK(named(report, "pinning").state == ProbeState::ok);
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("probe: it takes less than 200 ms") {
  const auto start = std::chrono::steady_clock::now();
  static_cast<void>(probe_system());
  // Ten times the limit: the machine may be busy with other tests.
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("probe: without privileges the same questions get answers") {
  const auto privileged = probe_system();
  const pid_t child = fork();
  if (child == 0) {
    if (!drop_capabilities()) _exit(2);
    const auto report = probe_system();
    const bool refused = named(report, "cap-sys-admin").state == ProbeState::no &&
                         named(report, "network-namespaces").state == ProbeState::no &&
                         named(report, "vxlan").state == ProbeState::unknown &&
                         named(report, "kernel-version").state == ProbeState::ok;
    _exit(refused && report.size() == privileged.size() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace particle::test
