// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "pool/apply.hpp"

namespace particle {

std::string Place::to_string() const {
  switch (kind) {
    case Kind::node:
      return "node";
    case Kind::vtep:
      return "VTEP";
    case Kind::pool:
      return "pool " + pool;
    case Kind::endpoint:
      return "endpoint " + std::to_string(endpoint) + " of pool " + pool;
  }
  return "?";
}

std::string Places::pin_of(const Place& place) const {
  switch (place.kind) {
    case Place::Kind::node:
      break;
    case Place::Kind::vtep:
      return layout_->vtep_pin(tenant_);
    case Place::Kind::pool:
      return layout_->pool_pin(place.pool);
    case Place::Kind::endpoint:
      return layout_->endpoint_pin(place.pool, place.endpoint);
  }
  return {};
}

void Places::collect_head_start() {
  if (!head_start_ || ready_made_) return;
  ready_made_ = head_start_->take();
  auto vtep = std::exchange(ready_made_->vtep, std::nullopt);
  if (vtep && !entries_.contains(Place::vtep())) put(Place::vtep(), *std::move(vtep));
}

void Places::drop_head_start() {
  (void)finish_meanwhile();
  head_start_.reset();
  ready_made_.reset();
}

void Places::do_meanwhile(detail::Work work) {
  head_start_->go_on(std::move(work));
  has_work_meanwhile_ = true;
}

Result<void> Places::finish_meanwhile() {
  if (!std::exchange(has_work_meanwhile_, false)) return {};
  return head_start_->finish();
}

std::optional<FreshNetNs> Places::take_ready_made(const std::vector<Sysctl>& sysctls) {
  collect_head_start();
  if (!ready_made_ || ready_made_->sysctls != sysctls) return std::nullopt;
  return std::exchange(ready_made_->pool, std::nullopt);
}

Result<Places::Entry*> Places::entry(const Place& place) {
  if (place == Place::vtep()) collect_head_start();
  if (const auto found = entries_.find(place); found != entries_.end()) return &found->second;
  auto netns =
      place.kind == Place::Kind::node ? node_->duplicate() : open_pinned_netns(pin_of(place));
  if (!netns) return fail(std::move(netns.error()));
  return &entries_.emplace(place, Entry{*std::move(netns), std::nullopt}).first->second;
}

Result<int> Places::descriptor(const Place& place) {
  auto found = entry(place);
  if (!found) return fail(std::move(found.error()));
  return (*found)->netns.fd();
}

Result<const NetNs*> Places::netns(const Place& place) {
  auto found = entry(place);
  if (!found) return fail(std::move(found.error()));
  return &(*found)->netns;
}

Result<Session*> Places::session(const Place& place) {
  auto found = entry(place);
  if (!found) return fail(std::move(found.error()));
  auto& session = (*found)->session;
  if (!session) {
    auto opened = (*found)->netns.open_session();
    if (!opened) return fail(std::move(opened.error()));
    session.emplace(*std::move(opened));
  }
  return &*session;
}

void Places::put(const Place& place, FreshNetNs fresh) {
  entries_.insert_or_assign(place, Entry{std::move(fresh.netns), std::move(fresh.session)});
}

}  // namespace particle
