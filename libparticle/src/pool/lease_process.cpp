// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <string>
#include <string_view>

#include <particle/unique_fd.hpp>

#include "pool/lease_store.hpp"

namespace particle {
namespace {

struct Stat {
  bool gone = false;
  std::uint64_t start_time = 0;
};

std::string_view next_word(std::string_view& text) noexcept {
  const auto begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return text = {};
  text.remove_prefix(begin);
  const auto word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

std::uint64_t number(std::string_view word) noexcept {
  std::uint64_t value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

/// Nothing when /proc does not show the process.
std::optional<Stat> read_stat(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file.valid()) return std::nullopt;
  std::array<char, 1024> buffer{};
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  if (size <= 0) return std::nullopt;

  // Field 2 is the command in parentheses and may itself hold spaces and parentheses.
  std::string_view text{buffer.data(), static_cast<std::size_t>(size)};
  const auto command_end = text.rfind(')');
  if (command_end == std::string_view::npos) return std::nullopt;
  text.remove_prefix(command_end + 1);

  Stat stat;
  std::string_view state;
  std::uint64_t threads = 0;
  for (int field = 3; field <= 22; ++field) {
    const auto word = next_word(text);
    if (word.empty()) return std::nullopt;
    if (field == 3) state = word;
    if (field == 20) threads = number(word);
    if (field == 22) stat.start_time = number(word);
  }
  // A leader that has exited shows as a zombie while its other threads live on.
  stat.gone = (state == "Z" || state == "X") && threads <= 1;
  return stat;
}

}  // namespace

std::optional<ProcessId> identify_process(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat || stat->gone) return std::nullopt;
  return ProcessId{.pid = pid, .start_time = stat->start_time};
}

bool alive(ProcessId process) {
  if (process.pid <= 0) return false;
  if (const auto stat = read_stat(process.pid)) {
    return !stat->gone && stat->start_time == process.start_time;
  }
  // /proc may be absent or hide the process: only the kernel's word counts as its end.
  return ::kill(process.pid, 0) == 0 || errno != ESRCH;
}

}  // namespace particle
