// SPDX-License-Identifier: Apache-2.0
#include "agent/journal.hpp"

#include <algorithm>
#include <utility>

#include "agent/agent.hpp"

namespace particle::overlay {
namespace {

constexpr std::size_t kShown = 8;

std::string in_words(const Peer& peer) {
  std::string text = peer.vtep.to_string() + " of tenant " + peer.tenant + ":";
  for (std::size_t i = 0; i < peer.prefixes.size() && i < kShown; ++i)
    text += " " + peer.prefixes[i].to_string();
  if (peer.prefixes.size() > kShown)
    text += " and " + std::to_string(peer.prefixes.size() - kShown) + " more";
  return text;
}

}  // namespace

void Journal::say(Severity severity, const std::string& text) const {
  if (log_) log_(severity, text);
}

void Journal::failed(const Error& error) {
  std::string text = error.message();
  for (const auto& detail : error.details) text += "; " + detail;
  if (!error.hint.empty()) text += " (" + error.hint + ")";
  if (text == last_failure_) return;
  say(Severity::error, text);
  last_failure_ = std::move(text);
}

void Journal::health(const Health& health) {
  if (health == health_) return;
  if (health.state == HealthState::ok) {
    say(Severity::notice, "the overlay is well");
  } else {
    for (const auto& problem : health.problems)
      say(Severity::warning, std::string(to_string(health.state)) + ": " + problem);
  }
  health_ = health;
}

void Journal::list(Severity severity, const std::string& verb,
                   const std::vector<Peer>& peers) const {
  for (std::size_t i = 0; i < peers.size() && i < kShown; ++i)
    say(severity, verb + " peer " + in_words(peers[i]));
  if (peers.size() > kShown)
    say(severity, verb + " " + std::to_string(peers.size() - kShown) + " more peers");
}

void Journal::reconciled(const Reconciled& done) {
  for (const auto& tenant : done.difference.tenants) {
    list(Severity::info, "removed", tenant.removed);
    list(Severity::info, "added", tenant.added);
    list(Severity::warning, "restored", tenant.damaged);
  }
  std::set<std::string> complaints;
  for (const auto& refusal : done.difference.refused)
    complaints.insert("refused " + describe(refusal.announcement) + ": " + refusal.reason);
  complaints.insert(done.difference.warnings.begin(), done.difference.warnings.end());
  std::size_t said = 0;
  for (const auto& complaint : complaints) {
    if (complaints_.contains(complaint)) continue;
    if (++said <= kShown) say(Severity::warning, complaint);
  }
  if (said > kShown)
    say(Severity::warning, "and " + std::to_string(said - kShown) + " more like these");
  complaints_ = std::move(complaints);
  if (done.errors.empty()) last_failure_.clear();
  for (const auto& error : done.errors) failed(error);
}

}  // namespace particle::overlay
