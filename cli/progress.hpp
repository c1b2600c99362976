// SPDX-License-Identifier: Apache-2.0
/// A progress bar on stderr: only on a terminal, and only for what lasts over a second.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace particle::cli {

class Progress {
 public:
  Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  /// Whether updates can ever be seen: without a terminal callers spare themselves the calls.
  [[nodiscard]] bool enabled() const noexcept { return enabled_; }
  void set_label(std::string label) { label_ = std::move(label); }
  void update(std::size_t done, std::size_t total);
  void clear();

 private:
  bool enabled_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
  std::string label_;
};

/// "[#####.....]  50% pool.addresses". Pure.
std::string progress_line(std::size_t done, std::size_t total, const std::string& label);

}  // namespace particle::cli
