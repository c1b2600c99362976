// SPDX-License-Identifier: Apache-2.0
#include "etcd/etcd_adapter.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "etcd/etcd_kind.hpp"
#include "etcd/shared.hpp"
#include "etcd/worker.hpp"

namespace particle::overlay {
namespace {

/// Signals are for the program's own threads.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

class EtcdAdapter final : public Adapter {
 public:
  EtcdAdapter(const AdapterContext& context, EtcdSettings settings, UniqueFd event)
      : context_(context),
        shared_(context.node, context.node_id, EtcdKeys(settings.cluster)),
        worker_(shared_, std::move(settings), stop_.get_token()) {
    shared_.event = std::move(event);
    thread_ = std::thread([this] {
      block_signals();
      worker_.run();
    });
  }
  /// The lease is left to end by itself: whoever comes back before that has never been away.
  ~EtcdAdapter() override {
    stop_.request_stop();
    worker_.wake();
    thread_.join();
  }
  EtcdAdapter(const EtcdAdapter&) = delete;
  EtcdAdapter& operator=(const EtcdAdapter&) = delete;

  [[nodiscard]] const Capabilities& capabilities() const noexcept override {
    return *etcd_kind().capabilities;
  }
  // The announcements say all that there is to say of a VTEP.
  Result<void> attach(const Vtep& /*vtep*/) override { return {}; }
  Result<void> detach(const std::string& /*tenant*/) override { return {}; }

  Result<void> announce(const Announcement& announcement) override {
    {
      const std::scoped_lock lock(shared_.mutex);
      shared_.wanted.insert_or_assign(announcement.pool, to_json(announcement));
      shared_.withdrawn.erase(announcement.pool);
    }
    worker_.wake();
    return {};
  }
  Result<void> withdraw(const std::string& pool) override {
    {
      const std::scoped_lock lock(shared_.mutex);
      shared_.wanted.erase(pool);
      if (!shared_.told_all) shared_.withdrawn.insert(pool);
    }
    worker_.wake();
    return {};
  }
  Result<void> announced_all() override {
    {
      const std::scoped_lock lock(shared_.mutex);
      shared_.told_all = true;
      shared_.withdrawn.clear();
    }
    worker_.wake();
    return {};
  }

  [[nodiscard]] int event_fd() const noexcept override { return shared_.event.get(); }
  [[nodiscard]] Result<PeerView> view() override;
  Result<void> reload() override;
  [[nodiscard]] Health health() override;

 private:
  /// The caller holds the mutex.
  [[nodiscard]] Directory::Verdict judge() const {
    const Directory& directory = shared_.before ? *shared_.before : shared_.known;
    return directory.judge(shared_.node, shared_.standing != Standing::name_taken);
  }

  AdapterContext context_;
  EtcdShared shared_;
  std::stop_source stop_;
  EtcdWorker worker_;
  std::thread thread_;
};

Result<PeerView> EtcdAdapter::view() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(shared_.event.get(), &count, sizeof count);
  const std::scoped_lock lock(shared_.mutex);
  PeerView out;
  if (shared_.listed) out.announcements = judge().announcements;
  out.complete = shared_.listed && shared_.settled;
  return out;
}

Result<void> EtcdAdapter::reload() {
  auto settings = parse_etcd_settings(context_.settings);
  if (!settings) return fail(std::move(settings.error()));
  {
    const std::scoped_lock lock(shared_.mutex);
    shared_.new_settings = *std::move(settings);
  }
  worker_.wake();
  return {};
}

Health EtcdAdapter::health() {
  const std::scoped_lock lock(shared_.mutex);
  Health out;
  const auto note = [&out](HealthState state, std::string problem) {
    out.state = std::max(out.state, state);
    out.problems.push_back(std::move(problem));
  };
  if (shared_.trouble) {
    note(shared_.listed ? HealthState::degraded : HealthState::failed,
         "etcd is out of reach: " + shared_.trouble->message() +
             (shared_.trouble->hint.empty() ? "" : " (" + shared_.trouble->hint + ")") +
             (shared_.listed ? "; what was known before holds" : ""));
  }
  if (shared_.standing == Standing::name_taken) {
    note(HealthState::failed,
         "node name " + shared_.node + " is registered by another machine, " + shared_.named_by +
             " (this one is " + shared_.node_id +
             "): nothing is announced until its lease ends; give each node a name of its own");
  }
  if (shared_.settling)
    note(HealthState::degraded, "etcd is back; nobody is removed until all had time to return");
  if (shared_.before)
    note(HealthState::degraded,
         "etcd went back to an older state; what was known before holds until all have repeated "
         "what they announce");
  if (shared_.pending > 0 && shared_.trouble) {
    note(HealthState::degraded,
         std::to_string(shared_.pending) + " changes of this node wait to be announced");
  }
  if (!shared_.listed) return out;
  for (std::string& problem : judge().problems) note(HealthState::degraded, std::move(problem));
  return out;
}

}  // namespace

Result<std::unique_ptr<Adapter>> make_etcd_adapter(const AdapterContext& context) {
  auto settings = parse_etcd_settings(context.settings);
  if (!settings) return fail(std::move(settings.error()));
  if (auto ok = check_name("node", context.node); !ok) return fail(std::move(ok.error()));
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.valid()) return fail(Error::from_errno(errno, "eventfd"));
  return std::make_unique<EtcdAdapter>(context, *std::move(settings), std::move(event));
}

}  // namespace particle::overlay
