// SPDX-License-Identifier: Apache-2.0
/// How an instance that failed for good is told to people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <particle_fleet/event.hpp>
#include <particle_fleet/function.hpp>

namespace particle::fleet {

/// "SIGKILL"; "signal 40" for one without a name.
std::string signal_name(int number);
/// What follows "instance 7 on node n2": "exited with status 3", "was ended by signal 9 (SIGKILL)".
/// `done`: an event of that phase.
std::string end_in_words(const Event& done, const Function& function);
/// The same for a list: "status 3", "SIGKILL", "out of memory".
std::string end_in_short(const Event& done);

struct FailureFacts {
  Event done;                 ///< the last one
  std::vector<Event> before;  ///< how the attempts before it ended
  std::string pool;
  const Function* function = nullptr;
  std::string_view errors;  ///< the end of what the last attempt wrote to stderr
  bool has_agent = false;   ///< an agent keeps what was written
};

struct Failure {
  std::string what;                     ///< one line
  std::vector<std::string> last_words;  ///< lines of stderr, at most 5
  std::string next;                     ///< what to do; may be empty
  /// `what`, and below it the rest, indented.
  [[nodiscard]] std::string to_text() const;
};
Failure describe_failure(const FailureFacts& facts);

/// The last lines of what was written, without control bytes, each cut to 200 bytes.
std::vector<std::string> last_lines(std::string_view text, std::size_t most);

}  // namespace particle::fleet
