// SPDX-License-Identifier: Apache-2.0
#include "evpn/evpn_adapter.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <tuple>
#include <utility>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "evpn/evpn_kind.hpp"
#include "evpn/frr_watch.hpp"
#include "evpn/mirror.hpp"
#include "evpn/prefix_code.hpp"

namespace particle::overlay {
namespace {

using namespace evpn;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// FRR enters a pool's MAC and the ends of its prefixes one by one. What is read in between would be
/// taken for hosts, so that a view waits until nothing has come for so long,
constexpr milliseconds kQuiet{30};
/// but no longer than this.
constexpr milliseconds kPatience{500};

Result<UniqueFd> open_timer() {
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer.valid()) return fail(Error::from_errno(errno, "timerfd_create"));
  return timer;
}

Result<UniqueFd> open_epoll(std::initializer_list<int> members) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return fail(Error::from_errno(errno, "epoll_create1"));
  for (const int fd : members) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return fail(Error::from_errno(errno, "epoll_ctl"));
  }
  return epoll;
}

/// The mirror would do for it, but not what it promises to others: by announcing the VNI, FRR asks every
/// EVPN speaker to flood broadcast and unknown frames here, and it is the bridge that keeps those from
/// the containers. A pool that is its own VTEP has nothing in front of it.
Error needs_bridge(const Vtep& vtep) {
  return Error::of(Errc::unsupported,
                   "tenant " + vtep.tenant +
                       " has attachment direct, which overlay evpn does not carry: EVPN floods "
                       "unknown frames to every VTEP of a VNI, and without the tenant's bridge "
                       "nothing keeps them from the pool's containers",
                   "make the pool anew with --attach veth, or use overlay static or etcd");
}

class EvpnAdapter final : public Adapter {
 public:
  static Result<std::unique_ptr<Adapter>> make(FrrSettings settings) {
    auto mirror = Mirror::open();
    if (!mirror) return fail(std::move(mirror.error()));
    auto timer = open_timer();
    if (!timer) return fail(std::move(timer.error()));
    auto frr = std::make_unique<FrrWatch>(std::move(settings));
    auto epoll = open_epoll({mirror->fd(), timer->get(), frr->fd()});
    if (!epoll) return fail(std::move(epoll.error()));
    return std::unique_ptr<Adapter>(
        new EvpnAdapter(*std::move(mirror), *std::move(timer), std::move(frr), *std::move(epoll)));
  }

  [[nodiscard]] const Capabilities& capabilities() const noexcept override {
    return *evpn_kind().capabilities;
  }

  Result<void> attach(const Vtep& vtep) override {
    if (vtep.bridge.empty()) return fail(needs_bridge(vtep));
    const auto known = vteps_.find(vtep.tenant);
    if (known != vteps_.end() && known->second.vni != vtep.vni) {
      if (auto ok = mirror_.remove(known->second.vni); !ok) return ok;
    }
    if (auto ok = mirror_.ensure(vtep); !ok) return ok;
    vteps_.insert_or_assign(vtep.tenant, vtep);
    frr_->hurry();
    return {};
  }

  Result<void> detach(const std::string& tenant) override {
    const auto known = vteps_.find(tenant);
    if (known == vteps_.end()) return {};
    if (auto ok = mirror_.remove(known->second.vni); !ok) return ok;
    vteps_.erase(known);
    return {};
  }

  Result<void> announce(const Announcement& announcement) override {
    if (const auto before = pools_.find(announcement.pool);
        before != pools_.end() && before->second != announcement) {
      if (auto ok = withdraw(announcement.pool); !ok) return ok;
    }
    pools_.insert_or_assign(announcement.pool, announcement);
    return mirror_local(announcement.vni, Addresses{});
  }

  Result<void> withdraw(const std::string& pool) override {
    const auto known = pools_.find(pool);
    if (known == pools_.end()) return {};
    const Announcement gone = known->second;
    pools_.erase(known);
    return mirror_local(gone.vni, addresses_of(gone));
  }

  Result<void> announced_all() override {
    auto contents = mirror_.read();
    if (!contents) return fail(std::move(contents.error()));
    for (const auto& [vni, address] : contents->mirrors) {
      const bool attached = std::any_of(vteps_.begin(), vteps_.end(), [&vni = vni](const auto& t) {
        return t.second.vni == vni;
      });
      auto done = attached ? mirror_local(vni, std::nullopt) : mirror_.remove(vni);
      if (!done) return done;
    }
    return {};
  }

  [[nodiscard]] int event_fd() const noexcept override { return epoll_.get(); }

  [[nodiscard]] Result<PeerView> view() override {
    take_events();
    const auto now = Clock::now();
    const bool busy = now - last_event_ < kQuiet && now - first_event_ < kPatience;
    if (busy) {
      wake_in(kQuiet);
      return PeerView{view_, false};
    }
    first_event_ = {};
    auto contents = mirror_.read();
    if (!contents) return fail(std::move(contents.error()));
    if (auto ok = mend(*contents); !ok) return fail(std::move(ok.error()));
    taken_ = taken_over(*contents);
    auto before = std::exchange(view_, announcements_of(*contents));
    if (lacks_any_of(before)) {
      lost_ = Clock::now();
      frr_->hurry();
    }
    return PeerView{view_, frr_->complete_after(lost_) && all_vnis_known()};
  }

  Result<void> reload() override {
    frr_->hurry();
    return {};
  }

  [[nodiscard]] Health health() override;

 private:
  EvpnAdapter(Mirror mirror, UniqueFd timer, std::unique_ptr<FrrWatch> frr, UniqueFd epoll)
      : mirror_(std::move(mirror)),
        timer_(std::move(timer)),
        frr_(std::move(frr)),
        epoll_(std::move(epoll)) {}

  static Addresses addresses_of(const Announcement& pool) {
    const auto ends = encode_prefixes(pool.peer.prefixes);
    return {{pool.peer.mac, {ends.begin(), ends.end()}}};
  }

  /// `gone`: as in Mirror::set_local.
  Result<void> mirror_local(Vni vni, const std::optional<Addresses>& gone) {
    Addresses wanted;
    for (const auto& [name, pool] : pools_) {
      if (pool.vni != vni) continue;
      for (const auto& [mac, addresses] : addresses_of(pool))
        wanted[mac].insert(addresses.begin(), addresses.end());
    }
    return mirror_.set_local(vni, wanted, gone);
  }

  /// FRR takes our entry away when another node announces the address, and does not give it back when
  /// that node stops; and anybody may delete a device.
  Result<void> mend(const Contents& contents) {
    for (const auto& [tenant, vtep] : vteps_) {
      Addresses lacking = missing_of(vtep.vni, contents);
      if (!contents.mirrors.contains(vtep.vni)) {
        if (auto ok = mirror_.ensure(vtep); !ok) return ok;
      } else if (lacking.empty()) {
        continue;
      }
      if (auto ok = mirror_.set_local(vtep.vni, lacking, Addresses{}); !ok) return ok;
    }
    return {};
  }

  /// What the mirror should announce, does not, and nobody else does.
  [[nodiscard]] Addresses missing_of(Vni vni, const Contents& contents) const {
    std::set<IpAddress> known;
    if (const auto local = contents.local.find(vni); local != contents.local.end()) {
      for (const auto& [mac, addresses] : local->second)
        known.insert(addresses.begin(), addresses.end());
    }
    for (const Remote& remote : contents.remote) {
      if (remote.vni == vni) known.insert(remote.addresses.begin(), remote.addresses.end());
    }
    Addresses out;
    for (const auto& [name, pool] : pools_) {
      if (pool.vni != vni) continue;
      for (const auto& address : encode_prefixes(pool.peer.prefixes)) {
        if (!known.contains(address)) out[pool.peer.mac].insert(address);
      }
    }
    return out;
  }

  void take_events() {
    std::uint64_t expirations = 0;
    (void)::read(timer_.get(), &expirations, sizeof expirations);
    frr_->acknowledge();
    if (!mirror_.drain()) return;
    last_event_ = Clock::now();
    if (first_event_ == Clock::time_point{}) first_event_ = last_event_;
  }

  void wake_in(milliseconds delay) const {
    itimerspec when{};
    when.it_value.tv_nsec = std::chrono::nanoseconds(delay).count();
    ::timerfd_settime(timer_.get(), 0, &when, nullptr);
  }

  [[nodiscard]] const Vtep* tenant_of(Vni vni) const {
    const auto found = std::find_if(vteps_.begin(), vteps_.end(),
                                    [&](const auto& entry) { return entry.second.vni == vni; });
    return found == vteps_.end() ? nullptr : &found->second;
  }

  [[nodiscard]] bool lacks_any_of(const std::vector<Announcement>& before) const {
    return std::any_of(before.begin(), before.end(), [this](const Announcement& one) {
      return std::find(view_.begin(), view_.end(), one) == view_.end();
    });
  }

  /// A zebra that has started anew has forgotten them, while all neighbours are still there.
  [[nodiscard]] bool all_vnis_known() const {
    const FrrState frr = frr_->state();
    return std::all_of(vteps_.begin(), vteps_.end(),
                       [&](const auto& entry) { return frr.vnis.contains(entry.second.vni); });
  }

  [[nodiscard]] std::vector<Announcement> announcements_of(const Contents& contents) const {
    std::vector<Announcement> out;
    for (const Remote& remote : contents.remote) {
      const Vtep* here = tenant_of(remote.vni);
      if (here == nullptr || remote.vtep == here->address) continue;
      out.push_back(
          {.node = {},
           .pool = {},
           .vni = remote.vni,
           .mtu = {},
           .peer = {here->tenant, remote.vtep, remote.mac, decode_prefixes(remote.addresses)}});
    }
    // BGP has no seniority; an order that is the same on every node and in every view does.
    std::sort(out.begin(), out.end(), [](const Announcement& a, const Announcement& b) {
      return std::tie(a.peer.tenant, a.peer.vtep, a.peer.mac) <
             std::tie(b.peer.tenant, b.peer.vtep, b.peer.mac);
    });
    return out;
  }

  /// Of two nodes that announce one address, FRR lets the later one have it, and takes the earlier one's
  /// entry away.
  [[nodiscard]] std::vector<std::string> taken_over(const Contents& contents) const {
    std::vector<std::string> out;
    for (const auto& [name, pool] : pools_) {
      const auto own = encode_prefixes(pool.peer.prefixes);
      for (const Remote& remote : contents.remote) {
        if (remote.vni != pool.vni) continue;
        for (const auto& address : remote.addresses) {
          if (!std::binary_search(own.begin(), own.end(), address)) continue;
          out.push_back("node " + remote.vtep.to_string() + " announces " + address.to_string() +
                        ", too, which is of pool " + name +
                        " here: delete one of the pools, and make it anew with other addresses");
        }
      }
    }
    return out;
  }

  Mirror mirror_;
  UniqueFd timer_;
  std::unique_ptr<FrrWatch> frr_;
  UniqueFd epoll_;
  std::map<std::string, Vtep> vteps_;          ///< by tenant
  std::map<std::string, Announcement> pools_;  ///< by name
  std::vector<Announcement> view_;
  std::vector<std::string> taken_;
  /// When something was last found to be gone. FRR takes off what a neighbour announced as soon as the
  /// neighbour leaves, so that only what FRR says afterwards tells a withdrawal from a lost neighbour.
  Clock::time_point lost_{};
  Clock::time_point last_event_{};
  Clock::time_point first_event_{};  ///< since the last view; epoch: none
};

Health EvpnAdapter::health() {
  const FrrState frr = frr_->state();
  Health out;
  if (!frr.problem.empty()) return {HealthState::failed, {frr.problem}};
  if (frr.neighbours.empty()) {
    return {HealthState::failed,
            {"bgpd has no neighbour for l2vpn evpn: `particle frr-config` prints a configuration"}};
  }
  for (const BgpNeighbour& neighbour : frr.neighbours) {
    if (neighbour.state == "Established") continue;
    out.problems.push_back("BGP neighbour " + neighbour.name + " is " + neighbour.state +
                           (neighbour.why.empty() ? "" : ": " + neighbour.why));
  }
  for (const auto& [tenant, vtep] : vteps_) {
    if (frr.vnis.contains(vtep.vni)) continue;
    out.problems.push_back("FRR does not know VNI " + std::to_string(vtep.vni.value()) +
                           " of tenant " + tenant +
                           ": is `advertise-all-vni` set, and does zebra run "
                           "in this node's namespace?");
  }
  out.problems.insert(out.problems.end(), taken_.begin(), taken_.end());
  if (!out.problems.empty())
    out.state = frr.some_established() ? HealthState::degraded : HealthState::failed;
  return out;
}

Result<milliseconds> parse_grace(const std::string& text) {
  unsigned seconds = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc{} || stop != end || seconds > 86400) {
    return fail(
        Error::of(Errc::invalid_argument, "--evpn-grace " + text, "whole seconds, at most 86400"));
  }
  return std::chrono::seconds(seconds);
}

}  // namespace

Result<std::unique_ptr<Adapter>> make_evpn_adapter(const AdapterContext& context) {
  FrrSettings settings;
  settings.vtysh = context.setting("evpn-vtysh").value_or(settings.vtysh);
  settings.vty_sockets = context.setting("evpn-vty-sockets").value_or("");
  if (const auto text = context.setting("evpn-grace")) {
    auto grace = parse_grace(*text);
    if (!grace) return fail(std::move(grace.error()));
    settings.grace = *grace;
  }
  return EvpnAdapter::make(std::move(settings));
}

}  // namespace particle::overlay
