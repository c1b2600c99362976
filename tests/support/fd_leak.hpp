// SPDX-License-Identifier: Apache-2.0
/// Finds file descriptors that a piece of code left open.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace particle::test {

/// Remembers the open descriptors; `leaked()` names those that came since, as "7 -> socket:[4711]".
///
///     const FdLeak fds;
///     ...
///     CHECK(fds.leaked() == std::vector<std::string>{});
class FdLeak {
 public:
  FdLeak();
  [[nodiscard]] std::vector<std::string> leaked() const;

 private:
  std::map<int, std::string> before_;
};

}  // namespace particle::test
