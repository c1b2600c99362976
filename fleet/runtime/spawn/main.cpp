// SPDX-License-Identifier: Apache-2.0
/// `particle-spawn`: starts the instances of one job. The launcher starts it with a socket as
/// descriptor 3, and it ends, with all its instances, when that is closed. A process of its own,
/// small and of one thread: each clone3 copies its page tables, and each instance's init is a copy of it.
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "spawn/calls.hpp"
#include "spawn/confine.hpp"
#include "spawn/instance.hpp"
#include "spawn/packet.hpp"
#include "spawn/stage.hpp"

namespace particle::fleet::spawn {
namespace {

/// So many starts are taken before the ends of others are looked at.
constexpr int kStartsAtOnce = 8;

class Spawner {
 public:
  Spawner(Job job, int notify_in, int notify_out, int children, int self, int null, int listeners)
      : job_(std::move(job)),
        context_{job_, notify_out, self, null, listeners},
        notify_(notify_in),
        children_(children) {}

  /// Returns when the launcher is gone.
  void serve();

 private:
  struct Living {
    std::uint64_t token = 0;
    int slot = -1;
    bool said = false;  ///< that it has started
  };

  bool take_messages();
  void handle(const Packet& packet);
  void start(const Start& start, const Descriptors& given);
  void signal(std::uint64_t token, int number);
  void hear_starts();
  void say_started(Living& living);
  void reap();
  void report(std::uint64_t token, What what, std::int64_t at, int value = 0,
              const char* text = "");
  void flush();

  Job job_;
  Context context_;
  int notify_;
  int children_;
  Slots slots_;
  std::map<pid_t, Living> living_;
  std::map<std::uint64_t, pid_t> by_token_;
  std::map<int, pid_t> by_slot_;
  std::vector<Happened> events_;
};

void Spawner::serve() {
  for (;;) {
    std::array<pollfd, 3> ready = {
        {{kSocket, POLLIN, 0}, {notify_, POLLIN, 0}, {children_, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), -1) < 0) continue;
    if (ready[0].revents != 0 && !take_messages()) return;
    if (ready[1].revents != 0) hear_starts();
    if (ready[2].revents != 0) reap();
    flush();
  }
}

bool Spawner::take_messages() {
  for (int i = 0; i < kStartsAtOnce; ++i) {
    Packet packet;
    switch (receive(kSocket, MSG_DONTWAIT, packet)) {
      case Received::packet:
        handle(packet);
        break;
      case Received::nothing:
        return true;
      case Received::end:
        return false;
    }
  }
  return true;
}

void Spawner::handle(const Packet& packet) {
  Reader in(packet.bytes);
  switch (in.type()) {
    case Message::start: {
      const Start one = Start::decode(in);
      const Descriptors given(one.descriptors, packet.descriptors);
      start(one, given);
      return;
    }
    case Message::signal: {
      const auto token = in.number<std::uint64_t>();
      signal(token, in.number<int>());
      return;
    }
    case Message::kill:
      for (const auto& [pid, living] : living_) ::kill(pid, SIGKILL);
      return;
    default:
      return;
  }
}

void Spawner::start(const Start& start, const Descriptors& given) {
  const int number = slots_.take();
  if (number < 0) {
    report(start.token, What::refused, now(), ENOMEM, "map a slot");
    return;
  }
  const pid_t pid = spawn_instance(context_, start, given, number, slots_[number]);
  if (pid < 0) {
    slots_.give_back(number);
    report(start.token, What::refused, now(), errno, "clone3");
    return;
  }
  report(start.token, What::created, now());
  living_[pid] = {start.token, number, false};
  by_token_[start.token] = pid;
  by_slot_[number] = pid;
}

void Spawner::signal(std::uint64_t token, int number) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) return;
  if (number == SIGKILL) {
    ::kill(found->second, SIGKILL);
    return;
  }
  sigval value = {};
  value.sival_int = number;
  ::sigqueue(found->second, relay_signal(), value);
}

void Spawner::hear_starts() {
  std::array<int, 256> numbers{};
  const ssize_t size = ::read(notify_, numbers.data(), sizeof(numbers));
  for (std::size_t i = 0; size > 0 && i < static_cast<std::size_t>(size) / sizeof(int); ++i) {
    const auto found = by_slot_.find(numbers[i]);
    if (found != by_slot_.end()) say_started(living_[found->second]);
  }
}

void Spawner::say_started(Living& living) {
  const std::int64_t at = slots_[living.slot].started_at;
  if (living.said || at == 0) return;
  living.said = true;
  report(living.token, What::started, at);
}

void Spawner::reap() {
  signalfd_siginfo ignored{};
  static_cast<void>(::read(children_, &ignored, sizeof(ignored)));
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
       pid = ::waitpid(-1, &status, WNOHANG)) {
    const auto found = living_.find(pid);
    if (found == living_.end()) continue;
    Living living = found->second;
    const Slot& slot = slots_[living.slot];
    say_started(living);
    if (slot.failure) {
      report(living.token, What::refused, now(), slot.failure.error, slot.failure.what.data());
    } else if (!living.said) {  // killed on the way
      report(living.token, What::ended, now(), status);
    } else {
      report(living.token, What::ended, now(), slot.ended ? slot.status : status);
    }
    by_token_.erase(living.token);
    by_slot_.erase(living.slot);
    slots_.give_back(living.slot);
    living_.erase(found);
  }
}

void Spawner::report(std::uint64_t token, What what, std::int64_t at, int value, const char* text) {
  events_.push_back({token, what, at, value, text});
}

void Spawner::flush() {
  constexpr std::size_t kAtOnce = 256;
  for (std::size_t first = 0; first < events_.size(); first += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, events_.size() - first);
    Writer out(Message::events);
    out.number(static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i < count; ++i) events_[first + i].encode(out);
    static_cast<void>(send(kSocket, 0, out.bytes(), {}));
  }
  events_.clear();
}

int refuse(const Failure& why) {
  Writer out(Message::refuse);
  out.number(why.error).text(why.what.data());
  static_cast<void>(send(kSocket, 0, out.bytes(), {}));
  return 1;
}

int run() {
  ::prctl(PR_SET_NAME, "particle-spawn");
  Packet first;
  // The pool's network namespace, and the way to the bind agent where there is one.
  if (receive(kSocket, 0, first) != Received::packet || first.descriptors.empty() ||
      first.descriptors.size() > 2) {
    return 2;
  }
  const int listeners = first.descriptors.size() == 2 ? first.descriptors.back() : -1;
  Reader in(first.bytes);
  if (in.type() != Message::job) return 2;
  Job job = Job::decode(in);
  if (!in.good()) return refuse(failure(EPROTO, "read the job"));
  sigset_t children;
  ::sigemptyset(&children);
  ::sigaddset(&children, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &children, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  const int child_signals = ::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  const int self = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  std::array<int, 2> notify{};
  if (child_signals < 0 || self < 0 || null < 0 ||
      ::pipe2(notify.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return refuse(last_failure("prepare"));
  }
  if (Failure bad = build_stage(job, first.descriptors.front())) return refuse(bad);
  ::close(first.descriptors.front());
  if (Failure bad = install_filter(job.common_filter)) return refuse(bad);
  static_cast<void>(send(kSocket, 0, Writer(Message::ready).bytes(), {}));
  Spawner(std::move(job), notify[0], notify[1], child_signals, self, null, listeners).serve();
  return 0;
}

}  // namespace
}  // namespace particle::fleet::spawn

int main() {
  return particle::fleet::spawn::run();
}
