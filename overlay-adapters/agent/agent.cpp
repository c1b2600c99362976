// SPDX-License-Identifier: Apache-2.0
#include "agent/agent.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <particle/pool_watch.hpp>

#include "agent/journal.hpp"
#include "agent/local_pools.hpp"
#include "agent/metrics.hpp"
#include "agent/metrics_server.hpp"

namespace particle::overlay {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// After a failure: from a second on, doubled up to a resync.
constexpr milliseconds kFirstRetry{1000};

/// An abstract socket: its name is taken by one process of this network namespace, which is the node,
/// and is free again when that process is gone, however it went.
Result<UniqueFd> take_lock(const Node& node, const std::string& overlay) {
  const std::string name = "particle-agent/" + overlay + "/" + node.run_dir();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::min(name.size(), sizeof address.sun_path - 1);
  std::memcpy(address.sun_path + 1, name.data(), length);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return fail(Error::from_errno(errno, "socket for the agent's lock"));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return socket;
  if (errno == EADDRINUSE) {
    return fail(Error::of(Errc::busy, "another agent drives overlay " + overlay + " on this node",
                          "stop it first; `ss -xap | grep particle-agent` names its process"));
  }
  return fail(Error::from_errno(errno, "bind the agent's lock"));
}

}  // namespace

struct Agent::Impl {
  const Node& node;
  Adapter& adapter;
  AgentOptions options;
  UniqueFd lock;
  PoolWatch watch;
  LocalPools local;
  Journal journal;
  AgentMetrics metrics{};
  std::optional<MetricsServer> server{};
  Clock::time_point next_resync{};
  milliseconds retry{0};              ///< 0: the last round was good
  std::optional<PeerView> entered{};  ///< what the last good round was about

  /// Nothing: there was nothing new.
  Result<std::optional<Reconciled>> round(bool news_only);
  void after_round(const Result<Reconciled>& done);
  void reload(const Notifier& notifier);
  void refresh_pools();
  [[nodiscard]] std::string status() const;
  [[nodiscard]] milliseconds patience(const Notifier& notifier) const;
  /// Waits; returns whether a round is due, or the signals that came.
  struct Wake {
    bool round = false;
    bool news_only = false;  ///< the adapter's events are all that came
    Signals::Pending signals;
  };
  Result<Wake> wait(Signals& signals, const Notifier& notifier);
};

Result<std::optional<Reconciled>> Agent::Impl::round(bool news_only) {
  auto pools = node.list_pools();
  if (!pools) return fail(std::move(pools.error()));
  for (const Error& error : local.tell(adapter, *pools)) {
    ++metrics.errors;
    journal.failed(error);
  }
  auto view = adapter.view();
  if (!view) return fail(std::move(view.error()));
  metrics.complete = view->complete;
  // A routing daemon's events are many, and most of them change nothing for us.
  const bool known = entered && entered->complete == view->complete &&
                     entered->announcements == view->announcements;
  if (news_only && retry.count() == 0 && known) return std::nullopt;
  auto done = reconcile(node, *view, options.overlay);
  if (!done) return fail(std::move(done.error()));
  entered = *std::move(view);
  return *std::move(done);
}

void Agent::Impl::refresh_pools() {
  metrics.pools.clear();
  auto pools = node.list_pools();
  if (!pools) return;
  for (const PoolInfo& pool : *pools)
    metrics.pools.push_back({pool.name, pool.tenant, pool.capacity, pool.leased, pool.cooling});
}

void Agent::Impl::after_round(const Result<Reconciled>& done) {
  ++metrics.reconciles;
  const Health health = adapter.health();
  metrics.health = health.state;
  journal.health(health);
  bool good = done.has_value();
  if (done) {
    journal.reconciled(*done);
    metrics.refused = done->difference.refused.size();
    metrics.errors += done->errors.size();
    good = done->errors.empty();
    for (const auto& tenant : done->difference.tenants) {
      metrics.added += tenant.added.size();
      metrics.removed += tenant.removed.size();
      metrics.restored += tenant.damaged.size();
    }
    metrics.peers = done->difference.peers;
  } else {
    ++metrics.errors;
    journal.failed(done.error());
  }
  retry = good ? milliseconds(0)
               : std::clamp(retry * 2, kFirstRetry, std::max(kFirstRetry, options.resync));
  next_resync = Clock::now() + (good ? options.resync : retry);
}

std::string Agent::Impl::status() const {
  std::size_t peers = 0;
  for (const auto& [tenant, count] : metrics.peers) peers += count;
  return "STATUS=overlay " + options.overlay + " is " + std::string(to_string(metrics.health)) +
         ": " + std::to_string(local.told()) + " pools here, " + std::to_string(peers) +
         " elsewhere" + (metrics.complete ? "" : " (perhaps not all)");
}

milliseconds Agent::Impl::patience(const Notifier& notifier) const {
  auto wait = std::chrono::duration_cast<milliseconds>(next_resync - Clock::now());
  if (server) wait = std::min(wait, server->patience().value_or(wait));
  if (notifier.watchdog()) wait = std::min(wait, *notifier.watchdog());
  return std::max(wait + milliseconds(1), milliseconds(0));
}

Result<Agent::Impl::Wake> Agent::Impl::wait(Signals& signals, const Notifier& notifier) {
  std::array<pollfd, 4> fds{{{signals.fd(), POLLIN, 0},
                             {watch.fd(), POLLIN, 0},
                             {adapter.event_fd(), POLLIN, 0},  // poll(2) passes over -1
                             {server ? server->fd() : -1, POLLIN, 0}}};
  const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(patience(notifier).count()));
  if (ready < 0 && errno != EINTR) return fail(Error::from_errno(errno, "poll"));
  Wake wake;
  if (server) server->serve();
  if (notifier.watchdog()) notifier.say("WATCHDOG=1");
  wake.signals = signals.take();
  auto changed = watch.acknowledge();
  if (!changed) return fail(std::move(changed.error()));
  const bool due = *changed || Clock::now() >= next_resync;
  wake.round = due || (fds[2].revents & POLLIN) != 0;
  wake.news_only = !due;
  return wake;
}

void Agent::Impl::reload(const Notifier& notifier) {
  notifier.say_reloading();
  ++metrics.reloads;
  journal.say(Severity::info, "reloading");
  if (auto ok = adapter.reload(); !ok) {
    ++metrics.errors;
    journal.failed(ok.error());
  }
}

Agent::Agent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Agent::Agent(Agent&&) noexcept = default;
Agent& Agent::operator=(Agent&&) noexcept = default;
Agent::~Agent() = default;

Result<Agent> Agent::open(const Node& node, Adapter& adapter, AgentOptions options) {
  auto lock = take_lock(node, options.overlay);
  if (!lock) return fail(std::move(lock.error()));
  auto watch = PoolWatch::open(node.directory());
  if (!watch) return fail(std::move(watch.error()));
  LocalPools local(options.node);
  Journal journal(options.log);
  auto impl = std::make_unique<Impl>(Impl{.node = node,
                                          .adapter = adapter,
                                          .options = std::move(options),
                                          .lock = *std::move(lock),
                                          .watch = *std::move(watch),
                                          .local = std::move(local),
                                          .journal = std::move(journal)});
  impl->metrics.overlay = impl->options.overlay;
  impl->metrics.node = impl->options.node;
  impl->metrics.started = std::chrono::system_clock::now();
  if (impl->options.metrics) {
    auto server = MetricsServer::open(*impl->options.metrics, [state = impl.get()] {
      state->refresh_pools();
      return to_prometheus(state->metrics);
    });
    if (!server) return fail(std::move(server.error()));
    impl->server.emplace(*std::move(server));
  }
  return Agent(std::move(impl));
}

Result<Reconciled> Agent::round(bool news_only) {
  const auto begin = Clock::now();
  auto done = impl_->round(news_only);
  if (done && !*done) {
    impl_->metrics.health = impl_->adapter.health().state;
    impl_->journal.health(impl_->adapter.health());
    return Reconciled{};
  }
  auto result = done ? Result<Reconciled>(**std::move(done))
                     : Result<Reconciled>(fail(std::move(done.error())));
  impl_->metrics.reconcile_seconds.observe(Clock::now() - begin);
  impl_->after_round(result);
  return result;
}

bool Agent::complete() const {
  return impl_->metrics.complete;
}

std::string Agent::metrics_address() const {
  return impl_->server ? impl_->server->address() : "";
}

Result<void> Agent::run(Signals& signals, const Notifier& notifier) {
  impl_->journal.say(Severity::notice,
                     "overlay " + impl_->options.overlay + " drives node " + impl_->options.node);
  (void)round();
  notifier.say("READY=1\n" + impl_->status());
  for (;;) {
    auto wake = impl_->wait(signals, notifier);
    if (!wake) return fail(std::move(wake.error()));
    if (wake->signals.stop) break;
    if (wake->signals.reload) impl_->reload(notifier);
    if (!wake->round && !wake->signals.reload) continue;
    (void)round(wake->news_only && !wake->signals.reload);
    notifier.say((wake->signals.reload ? "READY=1\n" : "") + impl_->status());
  }
  notifier.say("STOPPING=1");
  impl_->journal.say(Severity::notice, "stopping; what is entered stays, and carries traffic");
  return {};
}

Result<std::size_t> forget_peers(const Node& node, const std::string& overlay) {
  const auto lock = take_lock(node, overlay);
  if (!lock) return fail(lock.error());
  auto peers = node.list_peers();
  if (!peers) return fail(std::move(peers.error()));
  std::set<std::string> tenants;
  std::size_t count = 0;
  for (const PeerInfo& info : *peers) {
    if (info.peer.owner != overlay) continue;
    tenants.insert(info.peer.tenant);
    ++count;
  }
  for (const auto& tenant : tenants) {
    auto done = node.replace_peers(tenant, overlay, {});
    if (!done) return fail(std::move(done.error()));
  }
  return count;
}

}  // namespace particle::overlay
