// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <algorithm>
#include <cstdio>

#include <unistd.h>

namespace particle::cli {
namespace {

constexpr std::chrono::seconds kQuiet{1};
constexpr std::chrono::milliseconds kBetween{100};
constexpr std::size_t kCells = 30;

void write_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

Progress::Progress()
    : enabled_(::isatty(STDERR_FILENO) == 1), next_(std::chrono::steady_clock::now() + kQuiet) {}

void Progress::update(std::size_t done, std::size_t total) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || now < next_) {
    return;
  }
  next_ = now + kBetween;
  drawn_ = true;
  write_stderr("\r\x1b[K" + progress_line(done, total, label_));
}

void Progress::clear() {
  if (drawn_) {
    write_stderr("\r\x1b[K");
    drawn_ = false;
  }
}

std::string progress_line(std::size_t done, std::size_t total, const std::string& label) {
  const std::size_t all = std::max<std::size_t>(total, 1);
  const std::size_t part = std::min(done, all);
  const std::size_t full = part * kCells / all;
  char percent[8];
  std::snprintf(percent, sizeof percent, "%3zu%%", part * 100 / all);
  return "[" + std::string(full, '#') + std::string(kCells - full, '.') + "] " + percent + " " +
         label;
}

}  // namespace particle::cli
