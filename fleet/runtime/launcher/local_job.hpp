// SPDX-License-Identifier: Apache-2.0
/// A job on this node: a queue, a stock of endpoints, a backend, and one thread that serves them all.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <particle/node.hpp>
#include <particle_fleet/job.hpp>

#include "launcher/image.hpp"
#include "launcher/place.hpp"
#include "launcher/starter.hpp"
#include "launcher/stock.hpp"
#include "launcher/streams.hpp"

namespace particle::fleet {

struct LocalJobParts {
  std::shared_ptr<const Node> node;
  std::string node_name;
  JobSpec spec;
  PoolInfo pool;
  Image image;
  JobPlace place;
  std::unique_ptr<Starter> backend;
  std::string enforcement{};  ///< what keeps instances to their endpoints, in words
};

class LocalJob : public RunningJob {
 public:
  LocalJob(LocalJobParts parts, JobObserver& observer);
  LocalJob(const LocalJob&) = delete;
  LocalJob& operator=(const LocalJob&) = delete;
  ~LocalJob() override;
  /// Starts the thread. Errors: exhausted (no descriptor).
  Result<void> run();

  Result<void> add(std::vector<InstanceSpec> instances) override;
  Result<void> send(std::uint64_t instance, std::string_view bytes) override;
  Result<void> close_input(std::uint64_t instance) override;
  Result<void> signal(std::uint64_t instance, int number) override;
  Result<void> finish() override;
  void kill() override;
  Result<void> wait() override;

 private:
  using Clock = std::chrono::steady_clock;
  using Time = std::chrono::system_clock::time_point;
  struct Queued {
    InstanceSpec spec;
    std::uint32_t attempt = 0;
    Time since;
    bool waits = false;            ///< was told to wait for an endpoint
    bool over = false;             ///< it will never start
    std::optional<Lease> lease{};  ///< of the endpoint that it named
  };
  struct Living {
    InstanceSpec spec;
    std::uint32_t attempt = 0;
    Lease lease;
    Streams streams;
    bool asked_to_end = false;  ///< by signal(SIGKILL)
    bool timed_out = false;
    std::optional<Clock::time_point> deadline;
  };
  /// What a caller wants of the thread.
  struct Order {
    enum class What : std::uint8_t { send, close, signal } what = What::send;
    std::uint64_t token = 0;
    std::string bytes;
    int number = 0;
  };
  /// What callers may know of an instance that lives.
  struct Known {
    std::uint64_t token = 0;
    bool input_open = false;
  };

  // The thread's.
  void serve();
  bool step();
  void take_orders();
  void obey(const Order& order);
  void begin_killing();
  void drop_queue();
  void requeue(std::deque<Queued> left);
  void fill();
  void lease_named();
  std::optional<Lease> find_lease(Queued& queued, std::vector<Lease>& leases);
  bool begin(Queued queued, Lease lease, std::vector<Begin>& out);
  Begin describe(const Queued& queued, const Lease& lease, std::uint64_t token) const;
  void pump();
  void hear(const Progress& progress);
  void end(std::uint64_t token, const Progress& progress);
  void retry(const Living& living);
  void wait_for_events();
  void watch_backend();
  void check_deadlines();
  void release_idle();
  void read_streams(std::uint64_t token, Streams::Which which);
  void lose(const Error& error);
  void close_down();
  void tell(const InstanceSpec& spec, std::uint32_t attempt, Phase phase, Time at,
            const Lease* lease, std::string detail = {});
  void tell_done(const InstanceSpec& spec, std::uint32_t attempt, const Lease* lease, Time at,
                 Ended ended, int status, std::string detail);
  [[nodiscard]] bool is_over();
  [[nodiscard]] int patience() const;
  void wake();

  LocalJobParts parts_;
  JobObserver& observer_;
  Stock stock_;
  UniqueFd epoll_;
  UniqueFd wake_;
  std::deque<Queued> queue_;
  std::map<std::uint64_t, Living> living_;  ///< by token
  std::multimap<Clock::time_point, std::uint64_t> deadlines_;
  std::uint64_t next_token_ = 1;
  std::optional<Clock::time_point> try_again_;  ///< for endpoints
  std::optional<Clock::time_point> killing_until_;
  std::optional<Clock::time_point> idle_since_;  ///< since when endpoints are held for nobody
  bool starved_ = false;                         ///< there was no descriptor for an instance
  bool killing_ = false;
  bool backend_writes_ = false;

  std::mutex mutex_;  ///< guards what follows
  std::condition_variable over_;
  std::vector<Queued> incoming_;
  std::vector<Order> orders_;
  std::set<std::uint64_t> used_;
  std::map<std::uint64_t, Known> known_;
  bool finished_ = false;
  bool kill_ = false;
  bool ended_ = false;
  std::optional<Error> lost_;

  std::thread thread_;
};

}  // namespace particle::fleet
