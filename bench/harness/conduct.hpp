// SPDX-License-Identifier: Apache-2.0
/// One run of the harness: every design at every size, in turns, several times.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/record.hpp"

namespace particle::bench {

struct Settings {
  std::vector<const Design*> designs;
  std::vector<std::uint64_t> endpoints;
  std::vector<std::uint64_t> containers;  ///< sizes for designs of that kind
  unsigned repeats = 5;
  bool quick = false;
  /// What costs much is measured in fewer rounds than `repeats`, so that all ends about then; the
  /// first round is whole, however long it takes. Unset: everything is measured `repeats` times.
  std::optional<std::chrono::seconds> budget;
  /// Go on although other programs keep the machine busy; the record says so.
  bool although_busy = false;
};

struct Watch {
  std::function<void(const std::string& what, std::size_t done, std::size_t all)> progress;
  std::function<void(const std::string& text)> warn;
  /// After each round, with all that was measured so far.
  std::function<void(const Record&)> checkpoint;
  std::stop_token stop;
};

/// The share of the processors that others may take before figures mean little.
inline constexpr double kBusyShare = 0.15;

/// Enters namespaces of its own (a user namespace, too, where the caller lacks privileges) and
/// measures there; call it once, from a process with one thread. Whatever the run makes is gone when
/// it returns, and also when the process is killed.
///
/// A round does every design at every size; its order moves on from round to round, so that a slow
/// minute of the machine hits all alike. The first, unrecorded round is a small one.
///
/// Errors: busy (the machine is, and the settings do not allow it), permission_denied, unsupported;
/// not interrupted: the record of a run that was stopped is not `complete`. A design that fails at
/// one size is recorded as skipped, with the error.
Result<Record> conduct(const Settings& settings, const Watch& watch);

}  // namespace particle::bench
