// SPDX-License-Identifier: Apache-2.0
#include "weave/weave_adapter.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "etcd/http.hpp"
#include "weave/report.hpp"
#include "weave/weave_kind.hpp"

namespace particle::overlay {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInterval{1000};
constexpr milliseconds kLimit{3000};

class WeaveAdapter final : public Adapter {
 public:
  WeaveAdapter(std::string tenant, std::string url, UniqueFd event)
      : tenant_(std::move(tenant)), url_(std::move(url)), event_(std::move(event)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  [[nodiscard]] const Capabilities& capabilities() const noexcept override {
    return *weave_kind().capabilities;
  }
  Result<void> attach(const Vtep& vtep) override {
    if (vtep.tenant == tenant_) vtep_ = vtep;
    return {};
  }
  Result<void> detach(const std::string& tenant) override {
    if (tenant == tenant_) vtep_.reset();
    return {};
  }
  // Weave's IPAM says who has which addresses: there is nothing to tell it. What does not fit is a
  // problem, which health() names.
  Result<void> announce(const Announcement& announcement) override {
    if (announcement.peer.tenant == tenant_)
      pools_.insert_or_assign(announcement.pool, announcement);
    return {};
  }
  Result<void> withdraw(const std::string& pool) override {
    pools_.erase(pool);
    return {};
  }
  [[nodiscard]] int event_fd() const noexcept override { return event_.get(); }

  [[nodiscard]] Result<PeerView> view() override {
    std::uint64_t count = 0;
    (void)::read(event_.get(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    if (!known_) return fail(trouble_ ? *trouble_ : Error::of(Errc::io, "Weave was not asked yet"));
    PeerView out;
    out.complete = !trouble_ && !known_->shares.empty() && all_located();
    if (vtep_) out.announcements = announcements();
    return out;
  }

  Result<void> reload() override {
    const std::lock_guard lock(mutex_);
    hurry_ = true;
    wake_.notify_all();
    return {};
  }

  [[nodiscard]] Health health() override;

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] Result<weave::Report> ask(Http& http) const;
  [[nodiscard]] bool all_located() const;
  [[nodiscard]] std::vector<Announcement> announcements() const;

  const std::string tenant_;
  const std::string url_;
  UniqueFd event_;
  std::optional<Vtep> vtep_;                   ///< the tenant's here
  std::map<std::string, Announcement> pools_;  ///< the tenant's here, by name
  std::mutex mutex_;                           ///< of what follows
  std::condition_variable_any wake_;
  bool hurry_ = false;
  std::optional<weave::Report> known_;
  /// Where each peer was last: one whose connection is down keeps its place.
  std::map<std::string, IpAddress> located_;
  std::optional<Error> trouble_;
  std::jthread thread_;
};

Result<weave::Report> WeaveAdapter::ask(Http& http) const {
  auto reply = http.get({.url = url_ + "/report", .body = {}, .authorization = {}}, kLimit);
  if (!reply) return fail(std::move(reply.error()));
  if (reply->status != 200) {
    return fail(Error::of(Errc::io,
                          "GET " + url_ + "/report: HTTP status " + std::to_string(reply->status)));
  }
  return weave::parse_report(reply->body);
}

void WeaveAdapter::run(const std::stop_token& stop) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are for the program's own threads
  Http http({}, stop);
  const std::stop_callback waker(stop, [&] { http.wake(); });
  while (!stop.stop_requested()) {
    auto report = ask(http);
    std::unique_lock lock(mutex_);
    trouble_.reset();
    if (report) {
      for (const auto& [peer, address] : report->connected)
        located_.insert_or_assign(peer, address);
      known_ = *std::move(report);
    } else {
      trouble_ = std::move(report.error());
    }
    // The reconciler finds out whether it means a change.
    const std::uint64_t one = 1;
    (void)::write(event_.get(), &one, sizeof one);
    wake_.wait_for(lock, stop, kInterval, [this] { return std::exchange(hurry_, false); });
  }
}

bool WeaveAdapter::all_located() const {
  return std::all_of(known_->shares.begin(), known_->shares.end(), [&](const weave::Share& share) {
    return share.peer == known_->own || located_.contains(share.peer);
  });
}

std::vector<Announcement> WeaveAdapter::announcements() const {
  std::map<std::string, Announcement> by_peer;
  for (const weave::Share& share : known_->shares) {
    const auto place = located_.find(share.peer);
    if (share.peer == known_->own || place == located_.end()) continue;
    Announcement& one = by_peer[share.peer];
    one.node = share.nickname;
    one.vni = vtep_->vni;
    one.peer.tenant = tenant_;
    one.peer.vtep = place->second;
    one.peer.mac = weave_peer_mac(tenant_, place->second);
    for (const IpPrefix& prefix : share.range.to_prefixes()) one.peer.prefixes.push_back(prefix);
  }
  std::vector<Announcement> out;
  for (auto& [peer, announcement] : by_peer) out.push_back(std::move(announcement));
  return out;
}

Health WeaveAdapter::health() {
  const std::lock_guard lock(mutex_);
  Health out;
  const auto note = [&](std::string problem) {
    out.state = known_ ? HealthState::degraded : HealthState::failed;
    out.problems.push_back(std::move(problem));
  };
  if (trouble_) note(trouble_->message() + (known_ ? "; what was known before holds" : ""));
  if (!known_) {
    if (!trouble_) note("Weave was not asked yet");
    return out;
  }
  if (known_->shares.empty()) note("Weave's peers have not agreed on who has which addresses");
  for (const weave::Share& share : known_->shares) {
    if (share.peer == known_->own || known_->connected.contains(share.peer)) continue;
    note("Weave peer " + share.nickname + " (" + share.peer + ") is not connected" +
         (located_.contains(share.peer) ? "; its last address holds" : ""));
  }
  for (const auto& [name, pool] : pools_) {
    if (pool.peer.mac != weave_peer_mac(tenant_, pool.peer.vtep))
      note("pool " + name +
           " is not the tenant's first here: overlay weave carries that one alone");
    for (const IpPrefix& prefix : pool.peer.prefixes) {
      const bool own =
          std::any_of(known_->shares.begin(), known_->shares.end(), [&](const weave::Share& share) {
            return share.peer == known_->own && share.range.contains(prefix.network()) &&
                   share.range.contains(prefix.last());
          });
      if (!own)
        note("pool " + name + ": Weave's IPAM has not given " + prefix.to_string() +
             " to this node");
    }
  }
  return out;
}

}  // namespace

Mac weave_peer_mac(const std::string& tenant, const IpAddress& vtep) {
  return Mac::derive("particle/pool/" + tenant + "/" + vtep.to_string());
}

Result<std::unique_ptr<Adapter>> make_weave_adapter(const AdapterContext& context) {
  const std::string tenant = context.setting("weave-tenant").value_or("");
  if (auto ok = check_name("--weave-tenant", tenant); !ok) return fail(std::move(ok.error()));
  std::string url = context.setting("weave-url").value_or("http://127.0.0.1:6784");
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return fail(Error::of(Errc::invalid_argument, "--weave-url " + url,
                          "a URL, for instance http://127.0.0.1:6784"));
  }
  while (url.ends_with('/')) url.pop_back();
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return fail(Error::from_errno(errno, "eventfd"));
  return std::make_unique<WeaveAdapter>(tenant, std::move(url), std::move(event));
}

}  // namespace particle::overlay
