// SPDX-License-Identifier: Apache-2.0
#include "overlay/bed.hpp"

#include <algorithm>
#include <thread>

#include <poll.h>

#include "netns/pool_scene.hpp"
#include "support/traffic.hpp"

namespace particle::test {
namespace {

using overlay::Announcement;
using Clock = std::chrono::steady_clock;

/// An overlay may say no more than what is needed to reach a pool.
bool says_the_same(const Announcement& learnt, const Announcement& sent) {
  return learnt.peer == sent.peer && learnt.vni == sent.vni &&
         (learnt.node.empty() || learnt.node == sent.node) &&
         (learnt.pool.empty() || learnt.pool == sent.pool) &&
         (!learnt.mtu || learnt.mtu == sent.mtu);
}

void sort(std::vector<Announcement>& list) {
  std::sort(list.begin(), list.end(), [](const Announcement& a, const Announcement& b) {
    return std::tie(a.peer.tenant, a.peer.vtep, a.peer.mac) <
           std::tie(b.peer.tenant, b.peer.vtep, b.peer.mac);
  });
}

bool says_the_same(std::vector<Announcement> learnt, std::vector<Announcement> sent) {
  sort(learnt);
  sort(sent);
  return learnt.size() == sent.size() &&
         std::equal(
             learnt.begin(), learnt.end(), sent.begin(),
             [](const Announcement& a, const Announcement& b) { return says_the_same(a, b); });
}

std::string in_words(const overlay::PeerView& view) {
  std::string text = view.complete ? "all there is:\n" : "perhaps not all:\n";
  for (const auto& announcement : view.announcements) text += "  " + to_json(announcement) + "\n";
  return text;
}

}  // namespace

Bed::Bed(std::string overlay, std::size_t nodes)
    : overlay_(std::move(overlay)), fabric_(make_fabric(nodes)) {
  for (const NetNs& netns : fabric_.nodes)
    members_.push_back({open_node(netns, directory_.path()), nullptr, {}});
}

overlay::Adapter& Bed::adapter(std::size_t node) {
  auto& adapter = members_.at(node).adapter;
  if (adapter == nullptr) {
    const overlay::AdapterContext context{
        .node = name_of(node), .node_id = this->node(node).id(), .settings = settings(node)};
    // Its connections are those of the node's namespace, as the agent's would be.
    must(netns(node).run([&]() -> Result<void> {
      auto made = overlay::make_adapter(overlay_, context);
      if (!made) return fail(std::move(made.error()));
      adapter = *std::move(made);
      return {};
    }));
  }
  return *adapter;
}

void Bed::restart_adapter(std::size_t node) {
  members_.at(node).adapter.reset();
  for (const PoolInfo& pool : must(this->node(node).list_pools())) {
    must(adapter(node).attach(overlay::vtep_of(pool)));
    must(adapter(node).announce(announcement(node, pool)));
  }
  must(adapter(node).announced_all());
}

PoolInfo Bed::make_pool(std::size_t node, const std::string& name, const std::string& tenant,
                        std::uint64_t vni, std::initializer_list<const char*> blocks,
                        const std::optional<IpAddress>& underlay) {
  PoolSpec spec = pool_spec(name, tenant, vni, blocks);
  spec.attachment = attachment_;
  if (underlay) {
    spec.underlay.address = underlay;
  } else {
    spec.underlay.device = kUnderlayDevice;
  }
  must(this->node(node).create_pool(spec));
  PoolInfo info = must(this->node(node).inspect_pool(name));
  must(adapter(node).attach(overlay::vtep_of(info)));
  announce(node, announcement(node, info));
  return info;
}

void Bed::lose_pool(std::size_t node, const std::string& name) {
  members_.at(node).adapter.reset();
  must(this->node(node).delete_pool(name));
  withdrawn(node, name);
  restart_adapter(node);
}

void Bed::delete_pool(std::size_t node, const std::string& name) {
  const std::string tenant = must(this->node(node).find_pool(name)).tenant;
  withdraw(node, name);
  must(this->node(node).delete_pool(name));
  const auto left = must(this->node(node).list_pools());
  const bool last = std::none_of(left.begin(), left.end(),
                                 [&](const PoolInfo& pool) { return pool.tenant == tenant; });
  if (last) must(adapter(node).detach(tenant));
}

void Bed::announce(std::size_t node, const Announcement& what) {
  must(adapter(node).announce(what));
  announced(node, what);
}

void Bed::withdraw(std::size_t node, const std::string& pool) {
  must(adapter(node).withdraw(pool));
  withdrawn(node, pool);
}

void Bed::wait_for_event(std::size_t node) {
  static constexpr int kPatience = 50;
  pollfd event{.fd = adapter(node).event_fd(), .events = POLLIN, .revents = 0};
  if (event.fd >= 0) {
    ::poll(&event, 1, kPatience);
  } else {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

bool Bed::learns(std::size_t node, std::vector<Announcement> all, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    before_view();
    auto view = adapter(node).view();
    if (view && view->complete && says_the_same(view->announcements, all)) return true;
    members_.at(node).last = view ? in_words(*view) : view.error().message();
    if (Clock::now() > deadline) return false;
    wait_for_event(node);
  }
}

std::string Bed::reconcile() {
  std::string problems;
  before_view();
  for (std::size_t i = 0; i < size(); ++i) {
    auto view = adapter(i).view();
    if (!view) continue;  // then what was known before holds
    members_[i].last = in_words(*view);
    auto done = overlay::reconcile(node(i), *view, overlay_);
    if (!done) {
      problems += name_of(i) + ": " + done.error().message() + "\n";
      continue;
    }
    for (const auto& error : done->errors) problems += name_of(i) + ": " + error.message() + "\n";
    for (const auto& refusal : done->difference.refused)
      problems += name_of(i) + ": " + describe(refusal.announcement) + ": " + refusal.reason + "\n";
  }
  return problems;
}

bool Bed::converges(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    (void)reconcile();
    if (condition()) return true;
    if (Clock::now() > deadline) return false;
    wait_for_event(0);
  }
}

bool Bed::reaches(std::size_t a, const std::string& pool_a, const IpAddress& from, std::size_t b,
                  const std::string& pool_b, const IpAddress& to,
                  std::chrono::milliseconds limit) const {
  const NetNs client = must(node(a).open_pool_netns(pool_a));
  const NetNs server = must(node(b).open_pool_netns(pool_b));
  const TokenServer token(server, pool_b, {to});
  const auto answer = ask(client, from, to, token.port(), limit);
  return answer && *answer == pool_b + " " + from.to_string();
}

}  // namespace particle::test
