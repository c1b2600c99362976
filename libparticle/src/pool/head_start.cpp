// SPDX-License-Identifier: Apache-2.0
#include "pool/head_start.hpp"

#include <utility>

#include "files/files.hpp"
#include "netns/create.hpp"

namespace particle {
namespace {

std::optional<FreshNetNs> open_vtep_here(const std::string& pin) {
  // A tenant's first pool has none. To look for one in other mount namespaces takes a thread and the
  // ancestors' entries in /proc, for which the caller would wait.
  if (!file_exists(pin)) return std::nullopt;
  auto netns = open_pinned_netns(pin);
  if (!netns || !detail::enter_netns(netns->fd())) return std::nullopt;
  auto session = Session::open();
  if (!session) return std::nullopt;
  return FreshNetNs{*std::move(netns), *std::move(session)};
}

}  // namespace

HeadStart::HeadStart() {
  auto started = detail::Worker::start([this]() -> Result<void> {
    // Whatever happens, an exception included: nobody waits for more.
    struct End {
      HeadStart* self;
      ~End() { self->advance(Stage::ended); }
    } const end{this};
    return run();
  });
  if (started) worker_.emplace(*std::move(started));
}

HeadStart::~HeadStart() {
  (void)finish();
}

Result<void> HeadStart::run() {
  const auto moved = detail::enter_fresh_netns();
  // A caller that waits already is woken now: a thread that sleeps on an idle processor of a virtual
  // machine takes about 0.1 ms to run again, which the rest hides.
  advance(Stage::has_netns);
  if (wait_for(permitted_, Stage::furnished) == Stage::ended) return {};
  if (moved) {
    if (auto fresh = detail::furnish_netns_here(made_.sysctls)) made_.pool = *std::move(fresh);
    made_.vtep = open_vtep_here(vtep_pin_);
  }
  advance(Stage::furnished);
  wait_for(permitted_, Stage::ended);
  return work_ ? work_() : Result<void>{};
}

void HeadStart::furnish(std::vector<Sysctl> pool_sysctls, std::string vtep_pin) {
  made_.sysctls = std::move(pool_sysctls);
  vtep_pin_ = std::move(vtep_pin);
  permit(Stage::furnished);
}

HeadStart::Made HeadStart::take() {
  if (worker_) wait_for(progress_, Stage::furnished);
  return std::move(made_);
}

void HeadStart::go_on(detail::Work work) {
  work_ = std::move(work);
  permit(Stage::ended);
}

Result<void> HeadStart::finish() {
  if (!worker_) {
    const auto work = std::exchange(work_, nullptr);
    return work ? work() : Result<void>{};
  }
  permit(Stage::ended);
  auto outcome = worker_->join();
  worker_.reset();
  work_ = nullptr;
  return outcome;
}

void HeadStart::advance(Stage stage) {
  progress_.store(stage);
  progress_.notify_all();
}

void HeadStart::permit(Stage stage) {
  permitted_.store(stage);
  permitted_.notify_all();
}

HeadStart::Stage HeadStart::wait_for(const std::atomic<Stage>& reached, Stage stage) {
  Stage now = reached.load();
  for (; now < stage; now = reached.load()) reached.wait(now);
  return now;
}

}  // namespace particle
