// SPDX-License-Identifier: Apache-2.0
/// One connection to an agent, as its client sees it: requests with their answers, and notices of jobs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "model/object_reader.hpp"
#include "wire/channel.hpp"

namespace particle::fleet {

/// Threads: any. Callbacks come from the connection's own thread and must neither block nor call
/// anything here but request().
class Connection {
 public:
  using Reply = std::function<void(Result<Json>)>;
  using Take = std::function<void(const Json&)>;
  struct Listener {
    Take notice;
    std::function<void(const Error&)> lost;
  };

  explicit Connection(std::unique_ptr<Transport> transport);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// `reply` is called exactly once: with what the agent answers, or with the error of a lost connection.
  /// `more` is called for each part of an answer that comes in parts.
  void request(Json request, Reply reply, Take more = {});
  /// The same, waiting. Errors: the agent's; io; busy when `patience` is over.
  Result<Json> ask(Json request, Take more = {},
                   std::chrono::milliseconds patience = std::chrono::seconds(30));
  /// From now on the notices of a job go to `listener`. Errors: that the connection is lost.
  Result<void> listen(const std::string& job, Listener listener);
  /// When it returns the listener is not running and never will.
  void unlisten(const std::string& job);
  void stop() { channel_.stop(); }

 private:
  struct Pending {
    Reply reply;
    Take more;
  };
  void read();
  void take_line(std::string_view line);
  void take_answer(std::uint64_t id, const Json& line);
  void lose(const Error& error);

  Channel channel_;
  std::mutex mutex_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Pending> pending_;
  std::optional<Error> lost_;
  std::mutex listeners_mutex_;  ///< held while a listener runs
  std::map<std::string, Listener> listeners_;
  std::thread reader_;
};

}  // namespace particle::fleet
