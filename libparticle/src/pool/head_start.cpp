// SPDX-License-Identifier: Apache-2.0
#include "pool/head_start.hpp"

#include <utility>

#include "netns/create.hpp"

namespace particle {
namespace {

std::optional<FreshNetNs> open_vtep_here(const std::string& pin) {
  auto netns = open_pinned_netns(pin);
  if (!netns || !detail::enter_netns(netns->fd())) return std::nullopt;
  auto session = Session::open();
  if (!session) return std::nullopt;
  return FreshNetNs{*std::move(netns), *std::move(session)};
}

}  // namespace

HeadStart::HeadStart(std::vector<Sysctl> pool_sysctls, std::string vtep_pin)
    : made_(std::make_unique<Made>()) {
  made_->sysctls = std::move(pool_sysctls);
  Made* made = made_.get();
  auto started = detail::Worker::start([made, pin = std::move(vtep_pin)]() -> Result<void> {
    if (auto fresh = detail::create_netns_here(made->sysctls)) made->pool = *std::move(fresh);
    if (made->tenant_is_locked.load()) made->vtep = open_vtep_here(pin);
    return {};
  });
  if (started) worker_.emplace(*std::move(started));
}

std::unique_ptr<HeadStart::Made> HeadStart::take() {
  if (worker_) (void)worker_->join();
  worker_.reset();
  return std::move(made_);
}

}  // namespace particle
