// SPDX-License-Identifier: Apache-2.0
#include <particle_fleet/members.hpp>

#include <csignal>
#include <thread>

#include <pthread.h>

#include "agent/member_worker.hpp"

namespace particle::fleet {
namespace {

constexpr std::chrono::seconds kFirstAnswer{5};

}  // namespace

struct Members::State {
  State(MembersOptions options, const overlay::EtcdSettings& settings)
      : worker(std::move(options), settings, stop.get_token()) {}
  ~State() { leave(); }
  void leave() {
    stop.request_stop();
    worker.wake();
    if (thread.joinable()) thread.join();
  }
  void run() {
    sigset_t all;
    sigfillset(&all);  // signals are for the program's own threads
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    worker.run();
  }

  std::stop_source stop;
  MemberWorker worker;
  std::thread thread;
};

Members::Members(std::unique_ptr<State> state) : state_(std::move(state)) {}
Members::~Members() = default;

Result<std::unique_ptr<Members>> Members::open(MembersOptions options) {
  auto settings = overlay::parse_etcd_settings(options.etcd);
  if (!settings) return fail(std::move(settings.error()));
  return std::unique_ptr<Members>(
      new Members(std::make_unique<State>(std::move(options), *settings)));
}

Result<void> Members::start() {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
  return state_->worker.wait_for_standing(kFirstAnswer);
}

void Members::leave() {
  state_->leave();
}

std::vector<AgentPeer> Members::peers() const {
  return state_->worker.peers();
}

}  // namespace particle::fleet
