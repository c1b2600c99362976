// SPDX-License-Identifier: Apache-2.0
/// What the agent says to its log: every change once, and a thousand changes in a few lines.
#pragma once

#include <functional>
#include <set>
#include <string>

#include "overlay-adapters/adapter.hpp"
#include "overlay-adapters/reconcile.hpp"

namespace particle::overlay {

enum class Severity : std::uint8_t;

class Journal {
 public:
  using Log = std::function<void(Severity, const std::string&)>;
  explicit Journal(Log log) : log_(std::move(log)) {}

  void say(Severity severity, const std::string& text) const;
  /// An error, unless it is the one that was said last.
  void failed(const Error& error);
  /// Only when it has changed.
  void health(const Health& health);
  /// What was added, removed and restored, and refusals and warnings that are new.
  void reconciled(const Reconciled& done);

 private:
  void list(Severity severity, const std::string& verb, const std::vector<Peer>& peers) const;
  Log log_;
  std::string last_failure_;
  Health health_;
  std::set<std::string> complaints_;  ///< refusals and warnings that still hold
};

}  // namespace particle::overlay
