// SPDX-License-Identifier: Apache-2.0
/// Executes a plan: step by step, adjoining Configures of one namespace as one netlink batch; undoes
/// what was done when a step fails or the caller cancels.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include <particle/netns.hpp>
#include <particle/plan.hpp>

#include "netns/mount_home.hpp"
#include "pool/head_start.hpp"
#include "pool/layout.hpp"

namespace particle {

/// The namespaces of one operation, opened when first needed.
class Places {
 public:
  Places(const NetNs& node, const Layout& layout, const detail::MountHome& home, std::string tenant)
      : node_(&node), layout_(&layout), home_(&home), tenant_(std::move(tenant)) {}

  Result<Session*> session(const Place& place);
  Result<int> descriptor(const Place& place);
  Result<const NetNs*> netns(const Place& place);
  void put(const Place& place, FreshNetNs fresh);
  /// `head_start`: of this tenant's VTEP and of the pool that is about to be made.
  void expect(std::unique_ptr<HeadStart> head_start) { head_start_ = std::move(head_start); }
  void drop_head_start();
  /// Lets the thread that made what take_ready_made() returned do `work`, too, while the caller goes on.
  /// What it uses may not be forgotten before finish_meanwhile().
  void do_meanwhile(detail::Work work);
  /// Waits for that, if there is any. Errors: the work's.
  Result<void> finish_meanwhile();
  /// The namespace that the head start made for a pool, if it wrote just these sysctls.
  std::optional<FreshNetNs> take_ready_made(const std::vector<Sysctl>& sysctls);
  void forget(const Place& place) { entries_.erase(place); }
  [[nodiscard]] const Layout& layout() const { return *layout_; }
  [[nodiscard]] const detail::MountHome& home() const { return *home_; }

 private:
  struct Entry {
    NetNs netns;
    std::optional<Session> session;
  };
  Result<Entry*> entry(const Place& place);
  void collect_head_start();
  [[nodiscard]] std::string pin_of(const Place& place) const;

  const NetNs* node_;
  const Layout* layout_;
  const detail::MountHome* home_;
  std::string tenant_;
  std::map<Place, Entry> entries_;
  std::optional<HeadStart::Made> ready_made_;
  std::unique_ptr<HeadStart> head_start_;  // its thread may use what is above
  bool has_work_meanwhile_ = false;
};

/// Errors: the failed step's, with anything that could not be undone in its details.
Result<Outcome> apply(const Plan& plan, Places& places, const ApplyOptions& options);

}  // namespace particle
