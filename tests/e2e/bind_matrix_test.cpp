// SPDX-License-Identifier: Apache-2.0
// Every row of the policy under every mechanism, done by one C program built three ways. Prints the
// matrix, and holds docs/bind-matrix.md against it (PARTICLE_UPDATE_DOCS=1 rewrites the file).
#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include <unistd.h>

#include "e2e/bind_scene.hpp"

namespace particle::test {
namespace {

struct Row {
  const char* name;
  const char* expected;  ///< OWN: the endpoint's IPv4 address, OWN6: its IPv6 address
  const char* meaning;
};

constexpr auto kRows = std::to_array<Row>({
    {"bind-any4", "OWN", "bind TCP 0.0.0.0"},
    {"bind-any4-udp", "OWN", "bind UDP 0.0.0.0"},
    {"bind-any6", "::ffff:OWN", "bind TCP ::, dual-stack"},
    {"bind-any6-udp", "::ffff:OWN", "bind UDP ::, dual-stack"},
    {"bind-any6-only", "OWN6", "bind TCP ::, IPV6_V6ONLY"},
    {"bind-mptcp", "OWN", "bind MPTCP 0.0.0.0"},
    {"bind-sibling", "EADDRNOTAVAIL", "bind a sibling's address"},
    {"bind-foreign", "EADDRNOTAVAIL", "bind a foreign address"},
    {"bind-group", "EADDRNOTAVAIL", "bind a multicast group"},
    {"low-port", "EACCES", "bind port 80 as nobody"},
    {"loopback4", "127.0.0.1 127.0.0.1 127.0.0.1", "serve and connect 127.0.0.1"},
    {"loopback6", "::1 ::1 ::1", "serve and connect ::1"},
    {"any-by-loopback", "connected", "serve 0.0.0.0, connect 127.0.0.1"},
    {"any6-by-loopback", "connected", "serve ::, connect ::1"},
    {"listen-unbound4", "OWN", "listen without bind, IPv4"},
    {"listen-unbound6", "::ffff:OWN", "listen without bind, IPv6"},
    {"connect-tcp", "OWN", "source of an unbound TCP connect"},
    {"connect-tcp-mapped", "OWN", "the same from an IPv6 socket"},
    {"connect-udp", "OWN", "source of an unbound UDP connect"},
    {"connect-udplite", "OWN", "source of an unbound UDP-Lite connect"},
    {"connect-mptcp", "OWN", "source of an unbound MPTCP connect"},
    {"sendto", "OWN", "source of an unbound sendto"},
    {"sendmsg", "OWN", "source of an unbound sendmsg"},
    {"sendmmsg", "OWN", "source of an unbound sendmmsg"},
    {"wide-socket", "OWN", "the same of a socket whose family has bits above its int"},
    {"pktinfo-spoof", "OWN", "sendmsg with a sibling's IP_PKTINFO"},
    {"raw", "EPERM", "raw IPv4 socket"},
    {"raw6", "EPERM", "raw IPv6 socket"},
    {"packet", "EPERM", "packet socket"},
    {"netlink", "opened", "netlink: untouched"},
    {"unix-path", "connected", "UNIX socket by path: untouched"},
    {"abstract", "EPERM", "connect a sibling's abstract UNIX name"},
});

constexpr auto kBuilds =
    std::to_array<const char*>({"bind-probe", "bind-probe-static", "bind-probe-raw"});

using Results = std::map<std::string, std::string>;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// One endpoint's results, its own addresses spelled OWN and OWN6.
Results probe(const BindScene& scene, const std::string& mechanism, const std::string& build,
              const std::string& sibling) {
  const std::string program = bind_program(build);
  const CommandResult out = scene.run(
      {"--enforce", mechanism, "--ip", "10.1.0.7"},
      {"sh", "-c",
       program + " all " + sibling + "; printf 'abstract '; " + program + " abstract the-sibling"});
  CAPTURE(out.err);
  CHECK(out.exit_code == 0);
  Results results;
  std::istringstream lines(out.out);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t space = line.find(' ');
    std::string result = line.substr(space + 1);
    // Only at the end: 10.1.0.7 is also how 10.1.0.70 begins.
    if (result == "10.1.0.7" || result == "::ffff:10.1.0.7")
      result = replaced(result, "10.1.0.7", "OWN");
    if (result == "fd00:1::7") result = "OWN6";
    results[line.substr(0, space)] = result;
  }
  return results;
}

/// What the row came to, against what it should: a word for the matrix.
std::string verdict(const Row& row, const std::string& result) {
  if (result == row.expected) return "pass";
  if (result == "EPERM" || result == "EPROTONOSUPPORT" || result == "EADDRNOTAVAIL" ||
      result == "ENOSYS")
    return "refused";
  return "GAP";
}

std::string result_of(const std::map<std::string, Results>& columns, const std::string& column,
                      const Row& row) {
  const Results& results = columns.at(column);
  const auto found = results.find(row.name);
  return found == results.end() ? "no answer" : found->second;
}

std::string matrix_text(const std::map<std::string, Results>& columns) {
  std::ostringstream out;
  out << "| a program does | so that it sees |";
  for (const auto* mechanism : kBindMechanisms) {
    out << " " << mechanism << " | " << mechanism << ", static | " << mechanism << ", bare calls |";
  }
  out << "\n| --- | --- |" << " --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Row& row : kRows) {
    out << "| " << row.meaning << " | " << row.expected << " |";
    for (const auto* mechanism : kBindMechanisms) {
      for (const auto* build : kBuilds) {
        out << " " << verdict(row, result_of(columns, std::string(mechanism) + build, row)) << " |";
      }
    }
    out << "\n";
  }
  return out.str();
}

std::string docs_file() {
  return std::string(PARTICLE_TEST_SOURCE_DIR) + "/../docs/bind-matrix.md";
}

std::string read_docs() {
  std::ifstream file(docs_file());
  std::ostringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  const std::size_t table = all.find("| a program does |");
  return table == std::string::npos ? "" : all.substr(table);
}

constexpr const char* kPreface =
    "# Bind enforcer: mechanism by row\n\n"
    "Printed by the test `bind matrix` and held against this file; `PARTICLE_UPDATE_DOCS=1` "
    "rewrites it. The program is\n"
    "tests/bind/probe.c, built dynamic, static, and with bare system calls. *pass*: as alone on "
    "the address. *refused*: an\n"
    "error in place of it, no escape. *GAP*: the mechanism cannot; bind-enforcement.md says "
    "why.\n\n";

}  // namespace

TEST_CASE("bind matrix: every row under every mechanism is as docs/bind-matrix.md says") {
  if (!need_namespaces()) return;
  if (::geteuid() != 0 || in_test_user_ns()) return skip("needs root: cgroup2 and eBPF");
  const BindScene scene;
  std::map<std::string, Results> columns;
  for (const std::string mechanism : kBindMechanisms) {
    if (!need_mechanism(scene, mechanism)) return;
    const auto sibling = scene.start({"--enforce", mechanism, "--ip", "10.1.0.9"},
                                     {bind_program("bind-probe"), "serve"});
    const auto named = scene.start({"--enforce", mechanism, "--ip", "10.1.0.8"},
                                   {bind_program("bind-probe"), "abstract-serve", "the-sibling"});
    if (!sibling->wait_for_text("serving")) FAIL(sibling->finish().err);
    if (!named->wait_for_text("serving")) FAIL(named->finish().err);
    for (const std::string build : kBuilds) {
      columns[mechanism + build] = probe(scene, mechanism, build, "10.1.0.9");
    }
    for (const auto* server : {&sibling, &named}) {
      (*server)->signal(SIGTERM);
      CHECK((*server)->finish().exit_code == 128 + SIGTERM);
    }
  }
  const std::string matrix = matrix_text(columns);
  for (const auto& [column, results] : columns) {
    for (const Row& row : kRows) {
      const std::string result = result_of(columns, column, row);
      if (verdict(row, result) != "pass") {
        std::cout << column << ": " << row.name << ": " << result << "\n";
      }
    }
  }
  std::cout << matrix << std::flush;
  if (std::getenv("PARTICLE_UPDATE_DOCS") != nullptr) {
    std::ofstream(docs_file()) << kPreface << matrix;
  }
  CHECK(read_docs() == matrix);
  // Whatever the file says: eBPF, which auto takes here, has no gap.
  for (const Row& row : kRows) {
    for (const std::string build : kBuilds) {
      const std::string result = result_of(columns, "ebpf" + build, row);
      CAPTURE(row.name);
      CAPTURE(result);
      CHECK(verdict(row, result) != "GAP");
    }
  }
  CHECK(scene.leases() == "no leases\n");
}

}  // namespace particle::test
