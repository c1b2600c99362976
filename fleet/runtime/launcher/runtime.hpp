// SPDX-License-Identifier: Apache-2.0
/// runc and containerd as backends: a client process per instance (`runc run`, `ctr run`), in the
/// foreground, whose exit status is the instance's. For comparison, and where a runtime must be used.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>

#include <particle/netns.hpp>

#include "launcher/starter.hpp"
#include "launcher/workplace.hpp"

namespace particle::fleet {

/// Below a job's place: its bundles, and a record of the runtime, for sweep().
inline constexpr const char* kBundles = "/runtime";
inline constexpr const char* kRuntimeRecord = "/choice.json";
inline constexpr const char* kContainerdNamespace = "particle-fleet";

/// Which runtime, and how it is reached.
struct RuntimeChoice {
  bool containerd = false;
  std::string program;  ///< runc or ctr
  std::string socket;   ///< containerd's
};

class Runtime : public Starter {
 public:
  /// Errors: not_found for the program; unsupported for an enforcer but off, and for a user namespace.
  static Result<std::unique_ptr<Starter>> open(const Workplace& place, const RuntimeChoice& choice);
  ~Runtime() override;

  /// The launcher's own: what is left when it is killed is ended by sweep().
  [[nodiscard]] pid_t process() const override;
  void begin(std::vector<Begin> instances) override;
  void signal(std::uint64_t token, int number) override;
  void kill_all() override;
  void kill_hard() override;
  [[nodiscard]] int fd() const override { return epoll_.get(); }
  Result<std::vector<Progress>> pump() override;

 private:
  struct Client {
    std::string bundle;
    pid_t pid = -1;    ///< of runc or ctr
    UniqueFd ended;    ///< its pidfd
    int watch = -1;    ///< inotify's, of the bundle, until the container runs
    pid_t first = -1;  ///< the container's first process
    bool kill = false;
  };

  Runtime(const Workplace& place, RuntimeChoice choice);
  void start_more();
  Result<void> start(Begin& instance);
  Result<void> make_bundle(const Begin& instance, const std::string& path) const;
  [[nodiscard]] std::vector<std::string> words(const std::string& bundle,
                                               std::uint64_t token) const;
  Result<std::string> netns_of(const Lease& lease);
  [[nodiscard]] std::string id_of(std::uint64_t token) const;
  void look_for_starts();
  void note_start(std::uint64_t token, Client& client);
  void reap(std::uint64_t token);
  void remove(std::uint64_t token, const Client& client, bool killed) const;
  void report(std::uint64_t token, Progress::What what, int value = 0, std::string text = {});

  Workplace place_;
  RuntimeChoice choice_;
  std::string directory_;
  std::map<std::string, NetNs> netns_;  ///< by where they are pinned
  UniqueFd epoll_;
  UniqueFd notify_;
  std::deque<Begin> waiting_;
  std::map<std::uint64_t, Client> clients_;
  std::map<int, std::uint64_t> watched_;
  std::size_t starting_ = 0;
  std::vector<Progress> progress_;
};

}  // namespace particle::fleet
