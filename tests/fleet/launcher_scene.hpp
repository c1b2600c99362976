// SPDX-License-Identifier: Apache-2.0
/// What the launcher's tests have in common: a node with a pool, an image with busybox, an observer that
/// keeps everything.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <particle/node.hpp>
#include <particle_fleet/launcher.hpp>

#include "support/netns_fixture.hpp"

namespace particle::test {

using namespace std::chrono_literals;

/// Keeps what happened; asks may wait for it.
class Record : public fleet::JobObserver {
 public:
  void on_event(const fleet::Event& event) override {
    const std::lock_guard guard(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  void on_output(std::uint64_t instance, fleet::Stream stream, std::string_view bytes) override {
    const std::lock_guard guard(mutex_);
    (stream == fleet::Stream::output ? output_ : error_)[instance] += bytes;
    changed_.notify_all();
  }
  void on_lost(const Error& /*error*/) override {
    const std::lock_guard guard(mutex_);
    lost_ = true;
    changed_.notify_all();
  }

  std::vector<fleet::Event> events() {
    const std::lock_guard guard(mutex_);
    return events_;
  }
  std::vector<fleet::Event> events(fleet::Phase phase) {
    std::vector<fleet::Event> out = events();
    std::erase_if(out, [&](const fleet::Event& event) { return event.phase != phase; });
    return out;
  }
  /// The last event of this phase of an instance; fails when there is none.
  fleet::Event last(fleet::Phase phase, std::uint64_t instance) {
    std::vector<fleet::Event> all = events(phase);
    std::erase_if(all, [&](const fleet::Event& event) { return event.instance != instance; });
    REQUIRE(!all.empty());
    return all.back();
  }
  std::string output(std::uint64_t instance) {
    const std::lock_guard guard(mutex_);
    return output_[instance];
  }
  std::string errors(std::uint64_t instance) {
    const std::lock_guard guard(mutex_);
    return error_[instance];
  }
  bool lost() {
    const std::lock_guard guard(mutex_);
    return lost_;
  }
  /// Until `count` events of the phase have come; false when the time is over.
  bool wait_for(fleet::Phase phase, std::size_t count, std::chrono::milliseconds limit = 20s) {
    return wait(
        [&] {
          std::size_t seen = 0;
          for (const fleet::Event& event : events_) seen += event.phase == phase ? 1U : 0U;
          return seen >= count;
        },
        limit);
  }
  bool wait_for_output(std::uint64_t instance, const std::string& text,
                       std::chrono::milliseconds limit = 20s) {
    return wait([&] { return output_[instance].find(text) != std::string::npos; }, limit);
  }

 private:
  template <class Condition>
  bool wait(const Condition& condition, std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, condition);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<fleet::Event> events_;
  std::map<std::uint64_t, std::string> output_, error_;
  bool lost_ = false;
};

/// A directory with busybox and its applets by name: an image.
class BusyboxImage {
 public:
  BusyboxImage();
  BusyboxImage(const BusyboxImage&) = delete;
  BusyboxImage& operator=(const BusyboxImage&) = delete;
  ~BusyboxImage();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A node with a pool "job" of `endpoints` addresses, 10.50.0.1 the first.
class LauncherScene {
 public:
  explicit LauncherScene(std::uint64_t endpoints = 16);
  LauncherScene(const LauncherScene&) = delete;
  LauncherScene& operator=(const LauncherScene&) = delete;
  /// Checks that nothing is left: processes, leases, control groups, records.
  ~LauncherScene();

  [[nodiscard]] const Node& node() const { return *node_; }
  [[nodiscard]] const std::string& run_dir() const { return dir_.path(); }
  [[nodiscard]] const std::string& image() const { return image_.path(); }
  [[nodiscard]] fleet::Launcher open(fleet::LauncherOptions options = {}) const;
  /// A job of `command` in the busybox image.
  [[nodiscard]] fleet::JobSpec job(std::vector<std::string> command,
                                   const std::string& id = "job") const;
  /// The same for a line of shell.
  [[nodiscard]] fleet::JobSpec shell(const std::string& line, const std::string& id = "job") const {
    return job({"sh", "-c", line}, id);
  }

 private:
  TempRunDir dir_;
  BusyboxImage image_;
  TwoNodes nodes_;
  std::optional<Node> node_;
};

/// `count` instances, from 0 on.
std::vector<fleet::InstanceSpec> instances(std::uint64_t count);
/// The spawner of a job that runs.
pid_t spawner_of(const LauncherScene& scene, const std::string& job = "job");
/// Does the command line of /proc/PID have this word?
bool command_line_has(const std::string& process, const std::string& word);
/// Processes whose command line has this word. (What has ended and nobody waited for yet has none.)
std::size_t processes_of(const std::string& word);
/// Runs a job of `count` instances to its end.
void run_job(const LauncherScene& scene, const fleet::JobSpec& job, std::uint64_t count,
             Record& record);

}  // namespace particle::test
