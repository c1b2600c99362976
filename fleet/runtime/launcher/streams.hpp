// SPDX-License-Identifier: Apache-2.0
/// The launcher's ends of an instance's standard streams.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <particle/result.hpp>
#include <particle/unique_fd.hpp>
#include <particle_fleet/job.hpp>

namespace particle::fleet {

/// Threads: one at a time.
class Streams {
 public:
  /// What an epoll event is about.
  enum class Which : std::uint8_t { input, output, error };
  /// The instance's ends.
  struct Ends {
    UniqueFd input, output, error;
  };
  using Take = std::function<void(Stream, std::string_view)>;

  Streams() = default;
  /// `input` is the beginning of what the instance reads; `more` keeps it open.
  static Result<Streams> open(std::string_view input, bool more, Ends& ends);

  [[nodiscard]] int fd(Which which) const;
  void send(std::string_view bytes);
  /// Once everything was written.
  void close_input();
  /// Is there something that the instance has not taken?
  [[nodiscard]] bool has_waiting() const { return input_.valid() && !waiting_.empty(); }
  /// Writes what the instance takes now.
  void write();
  /// Reads what is there, a limited amount at a time. False at the end of the stream, which is closed.
  bool read(Which which, const Take& take);
  /// Reads all that is left; for an instance that has ended.
  void drain(const Take& take);

 private:
  UniqueFd input_, output_, error_;
  std::string waiting_;
  bool more_ = false;
};

}  // namespace particle::fleet
