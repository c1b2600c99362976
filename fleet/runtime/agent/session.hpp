// SPDX-License-Identifier: Apache-2.0
/// One connection to the agent: a client's, or another agent's. Its jobs end with it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "agent/core.hpp"
#include "model/object_reader.hpp"
#include "wire/channel.hpp"

namespace particle::fleet {

/// Threads: run() by one; stop() and over() by any.
class Session {
 public:
  /// `agent`: who it is, as Admitted::who; empty for a client of this node.
  Session(AgentCore& core, std::unique_ptr<Transport> transport, std::string agent);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Ends the connection; its jobs are killed.
  void stop() { channel_.stop(); }
  [[nodiscard]] bool over() const noexcept { return over_; }

 private:
  struct Job;
  using Handler = Result<Json> (Session::*)(ObjectReader& request, std::uint64_t id);

  void run();
  /// False when the line ends the connection.
  bool take_line(std::string_view line);
  /// Logs why this side ends the connection.
  void say_closed(const Error& why);
  Result<Json> answer(const Json& request, std::uint64_t id);
  void more(std::uint64_t id, Json part);
  void end_job(const std::string& id);
  Result<Job*> find(ObjectReader& request);

  Result<Json> start(ObjectReader& request, std::uint64_t id);
  Result<Json> add(ObjectReader& request, std::uint64_t id);
  Result<Json> send(ObjectReader& request, std::uint64_t id);
  Result<Json> close_input(ObjectReader& request, std::uint64_t id);
  Result<Json> signal(ObjectReader& request, std::uint64_t id);
  Result<Json> finish(ObjectReader& request, std::uint64_t id);
  Result<Json> kill(ObjectReader& request, std::uint64_t id);
  Result<Json> forget(ObjectReader& request, std::uint64_t id);
  Result<Json> nodes(ObjectReader& request, std::uint64_t id);
  Result<Json> status(ObjectReader& request, std::uint64_t id);
  Result<Json> jobs(ObjectReader& request, std::uint64_t id);
  Result<Json> logs(ObjectReader& request, std::uint64_t id);
  Result<Json> events(ObjectReader& request, std::uint64_t id);

  Result<std::unique_ptr<RunningJob>> start_on_fleet(const JobSpec& job, JobObserver& observer);

  static const std::map<std::string_view, Handler>& handlers();

  AgentCore& core_;
  std::string agent_;
  Channel channel_;
  std::map<std::string, std::unique_ptr<Job>> jobs_;
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

}  // namespace particle::fleet
