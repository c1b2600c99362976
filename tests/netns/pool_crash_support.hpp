// SPDX-License-Identifier: Apache-2.0
/// What the tests of crashes, faults and garbage collection have in common: a node's whole state as
/// text, and operations that are killed where the test says.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <particle/link.hpp>
#include <particle/node.hpp>

#include "pool/observe.hpp"
#include "pool_scene.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {

using namespace std::chrono_literals;

/// Every path below `directory` with its kind, a link's target and, when asked, a file's content;
/// pinned namespaces by their inode. The lease store's bytes are left out: rows are compared.
inline std::string list_files(const std::string& directory, bool contents) {
  std::vector<std::string> lines;
  std::error_code failed;
  for (auto it = std::filesystem::recursive_directory_iterator(directory, failed);
       !failed && it != std::filesystem::recursive_directory_iterator(); it.increment(failed)) {
    const std::string path = it->path().string();
    std::string line = path.substr(directory.size() + 1);
    if (it->is_symlink()) {
      line += " -> " + std::filesystem::read_symlink(it->path()).string();
    } else if (it->is_directory()) {
      line += "/";
    } else if (auto netns = NetNs::open_path(path)) {
      line += " [namespace]";
    } else if (line.find("leases.db") != std::string::npos) {
      continue;
    } else if (contents) {
      std::ostringstream content;
      content << std::ifstream(path).rdbuf();
      line += ": " + content.str();
    }
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end());
  return said(lines);
}

/// Mount points below `directory`.
inline std::vector<std::string> mounts_below(const std::string& directory) {
  std::ifstream file("/proc/self/mountinfo");
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string skipped;
    std::string point;
    fields >> skipped >> skipped >> skipped >> skipped >> point;
    if (point.starts_with(directory + "/")) found.push_back(point);
  }
  return found;
}

/// One namespace as text. Veths on a bridge have random names and indices: their alias stands for
/// them.
inline std::string describe_netns(const NetNs& netns) {
  const ObservedNamespace seen = must(observe(netns));
  const auto name = [&](IfIndex index) -> std::string {
    const ObservedLink* link = seen.link(index);
    if (link == nullptr) return index.valid() ? "?" : "-";
    return link->kind == "veth" && link->name != "eth0" ? "port <" + link->alias + ">" : link->name;
  };
  std::vector<std::string> lines;
  for (const auto& link : seen.links) {
    const bool port = link.kind == "veth" && link.name != "eth0";
    lines.push_back("link " + name(link.index) + " kind=" + link.kind +
                    " up=" + (link.up ? "1" : "0") + " mtu=" + std::to_string(link.mtu) +
                    " mac=" + (link.name == "eth0" ? link.mac.to_string() : "any") +
                    " master=" + name(link.master) + (port ? "" : " alias=" + link.alias));
  }
  for (const auto& a : seen.addresses) {
    lines.push_back("addr " + a.address.to_string() + "/" + std::to_string(a.prefix_length) +
                    " dev " + name(a.device));
  }
  for (const auto& r : seen.routes) {
    lines.push_back(std::string(r.kind == RouteKind::local ? "local " : "route ") +
                    r.destination.to_string() + " dev " + name(r.device) + " via " +
                    (r.gateway ? r.gateway->to_string() : "-") + " src " +
                    (r.preferred_source ? r.preferred_source->to_string() : "-"));
  }
  for (const auto& n : seen.neighbours) {
    lines.push_back("neigh " + n.address.to_string() + " " + n.mac.to_string() + " dev " +
                    name(n.device));
  }
  for (const auto& f : seen.fdb) {
    // A port's own address is random and comes and goes with it.
    const ObservedLink* link = seen.link(f.device);
    if (link != nullptr && link->mac == f.mac && !f.remote) continue;
    if (!f.remote && link != nullptr && link->kind == "bridge") continue;
    lines.push_back("fdb " + f.mac.to_string() + " dev " + name(f.device) + " remote " +
                    (f.remote ? f.remote->to_string() : "-"));
  }
  std::sort(lines.begin(), lines.end());
  return said(lines);
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// Everything that a node has, as text in which nothing is random: pools with health and addresses,
/// VTEPs, peers, leases, file names. Two states are the same exactly when their texts are.
inline std::string describe_node(const Node& node, const std::string& vni) {
  std::string text;
  std::vector<std::string> tenants;
  for (const auto& brief : must(node.list_pools())) {
    const auto seen = node.inspect_pool(brief.name);
    if (!seen) {
      text += "pool " + brief.name + ": " + seen.error().message() + "\n";
      continue;
    }
    const PoolInfo& pool = *seen;
    text += "pool " + pool.name + " tenant=" + pool.tenant +
            " health=" + std::string(to_string(pool.health)) +
            " capacity=" + std::to_string(pool.capacity) +
            " leased=" + std::to_string(pool.leased) + "\n" + said(pool.problems);
    if (auto netns = NetNs::open_path(pool.netns_path)) text += describe_netns(*netns);
    tenants.push_back(pool.tenant);
  }
  std::sort(tenants.begin(), tenants.end());
  tenants.erase(std::unique(tenants.begin(), tenants.end()), tenants.end());
  for (const auto& tenant : tenants) {
    text += "VTEP of " + tenant + "\n";
    if (auto netns = node.open_vtep_netns(tenant)) text += describe_netns(*netns);
  }
  const auto peers = node.list_peers();
  if (!peers) text += "peers: " + peers.error().message() + "\n";
  if (peers) {
    for (const auto& peer : *peers) {
      text += "peer " + peer.peer.vtep.to_string() + " " + peer.peer.mac.to_string();
      for (const auto& prefix : peer.peer.prefixes) text += " " + prefix.to_string();
      text += peer.programmed ? " programmed\n" : " missing\n" + said(peer.problems);
    }
  }
  const auto leases = node.leases();
  if (!leases) text += "leases: " + leases.error().message() + "\n";
  if (leases) {
    for (const auto& lease : *leases) {
      text += "lease " + lease.pool + " " + lease.endpoint.to_string() + " " + lease.holder + "\n";
      if (auto netns = NetNs::open_path(lease.netns_path)) text += describe_netns(*netns);
    }
  }
  text += list_files(node.run_dir(), false);
  return replaced(replaced(text, node.id(), "ID"), vni, "VNI");
}

/// The kernel takes namespaces and their devices down after the last one let go: waits until
/// `look()` is one of `wanted`, and returns it.
inline std::string settle(const std::function<std::string()>& look,
                          const std::vector<std::string>& wanted,
                          std::chrono::milliseconds patience = 2s) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    std::string now = look();
    if (std::find(wanted.begin(), wanted.end(), now) != wanted.end()) return now;
    if (std::chrono::steady_clock::now() > deadline) return now;
    std::this_thread::sleep_for(5ms);
  }
}

/// What `look()` shows once it has been the same for a while.
inline std::string settled(const std::function<std::string()>& look) {
  std::string seen = look();
  for (int same = 0; same < 10;) {
    std::this_thread::sleep_for(20ms);
    std::string now = look();
    same = now == seen ? same + 1 : 0;
    seen = std::move(now);
  }
  return seen;
}

/// What a child process that runs `work` tells its parent.
struct ChildEnd {
  bool killed = false;     ///< by SIGKILL
  bool crashed = false;    ///< by another signal, or an exception
  bool succeeded = false;  ///< work returned true
  std::size_t steps = 0;   ///< of the operation's plan, as after_step saw them
  std::string said;        ///< what work wrote
};

/// Memory that a child shares with its parent.
class SharedNote {
 public:
  struct Content {
    std::size_t steps;
    char text[4000];
  };
  SharedNote() {
    void* memory =
        mmap(nullptr, sizeof(Content), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    content_ = static_cast<Content*>(memory);
  }
  SharedNote(const SharedNote&) = delete;
  SharedNote& operator=(const SharedNote&) = delete;
  ~SharedNote() { munmap(content_, sizeof(Content)); }
  Content* operator->() const { return content_; }
  void write(const std::string& text) const {
    std::strncpy(content_->text, text.c_str(), sizeof content_->text - 1);
  }

 private:
  Content* content_ = nullptr;
};

/// Runs `work` in a child process. `work` gets the note to write to, and returns whether all is
/// well.
inline ChildEnd in_child(const std::function<bool(const SharedNote&)>& work) {
  const SharedNote note;
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    int code = 2;
    try {
      code = work(note) ? 0 : 1;
    } catch (const std::exception& e) {
      note.write(std::string("exception: ") + e.what());
    }
    _exit(code);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ChildEnd end;
  end.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  end.crashed =
      (WIFSIGNALED(status) && !end.killed) || (WIFEXITED(status) && WEXITSTATUS(status) > 1);
  end.succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  end.steps = note->steps;
  end.said = note->text;
  return end;
}

/// An operation on a node, as it is repeated and killed: true when it succeeded.
using Operation = std::function<Result<void>(const Node&, const ApplyOptions&)>;

/// Makes a Result<anything> a Result<void>.
template <class T>
Result<void> only_status(Result<T> result) {
  if (!result) return fail(std::move(result.error()));
  return {};
}

inline ChildEnd kill_after_step(const Node& node, const Operation& operation, std::size_t k) {
  return in_child([&](const SharedNote& note) {
    ApplyOptions options;
    options.after_step = [&](std::size_t step, std::size_t steps, const Step&) {
      note->steps = steps;
      if (step == k) raise(SIGKILL);
    };
    auto done = operation(node, options);
    if (!done) note.write(done.error().message() + " (" + said(done.error().details) + ")");
    return done.has_value();
  });
}

/// One node with its own run directory, whose VNIs no other world in this test uses: a VXLAN device
/// that is on its way out would make the next one wait.
struct World {
  TempRunDir dir;
  const NetNs& netns;
  Node node;
  std::uint64_t vni;

  explicit World(const NetNs& home) : netns(home), node(open_node(home, dir.path())), vni(next()) {}

  [[nodiscard]] std::string vni_text() const { return std::to_string(vni); }
  [[nodiscard]] std::string state() const { return describe_node(node, vni_text()); }

  /// Deletes every pool, and checks that then nothing at all is left.
  void check_clean_after_delete_all() const {
    for (const auto& pool : must(node.list_pools())) {
      const auto deleted = node.delete_pool(pool.name, true);
      INFO((deleted ? std::string() : deleted.error().message() + said(deleted.error().details)));
      CHECK(deleted.has_value());
    }
    check_nothing_left();
  }

  void check_nothing_left() const {
    CHECK(list_files(dir.path(), false) == "");
    CHECK(mounts_below(dir.path()) == std::vector<std::string>{});
    CHECK(vni_is_free());
  }

  /// Whether a VXLAN device with this VNI can be made in the node within a second, or some other
  /// holds the VNI, wherever it is.
  [[nodiscard]] bool vni_is_free() const {
    Session session = must(netns.open_session());
    VxlanSpec probe;
    probe.name = "probe";
    probe.vni = must(Vni::from(vni));
    const std::string made = settle(
        [&] {
          return session.apply(encode_vxlan(probe)) ? std::string("free") : std::string("taken");
        },
        {"free"}, 3s);
    (void)session.apply(encode_link_removal("probe"));
    return made == "free";
  }

 private:
  static std::uint64_t next() {
    static std::uint64_t last = 7000000;
    return ++last;
  }
};

inline std::string words(const std::vector<GcFinding>& findings) {
  std::vector<std::string> lines;
  lines.reserve(findings.size());
  for (const auto& f : findings) {
    lines.push_back(std::string(to_string(f.action)) + " " + f.object + ": " + f.reason);
  }
  return said(lines);
}

}  // namespace particle::test
