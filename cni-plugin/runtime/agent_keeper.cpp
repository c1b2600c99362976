// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.hpp"
#include "agent_socket.hpp"
#include "enforcement_record.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

namespace fs = std::filesystem;

constexpr int kIdleMilliseconds = 1000;
constexpr std::chrono::milliseconds kBeforeAnotherWorker{100};
// Below every listener's number, which count from 1 upwards: 32 bits above.
constexpr std::uint64_t kNotAListener = std::uint64_t{1} << 32U;
constexpr std::uint64_t kRuntimes = kNotAListener;
constexpr std::uint64_t kWorkerSays = kNotAListener + 1;
constexpr std::uint64_t kWorkerEnded = kNotAListener + 2;

class Keeper {
 public:
  Keeper(const std::string& run_dir, const std::string& node_id, bind::CallTable table)
      : containers_(run_dir + "/runtime/" + node_id),
        place_(agent_place(run_dir, node_id)),
        table_(std::move(table)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  Result<void> run() {
    if (auto ok = open_socket(); !ok) return ok;
    if (auto ok = start_worker(); !ok) return ok;
    std::array<epoll_event, 64> events{};
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     kIdleMilliseconds);
      if (count < 0 && errno != EINTR) return fail(Error::from_errno(errno, "wait for runtimes"));
      for (int i = 0; i < count; ++i) {
        if (auto ok = handle(events[static_cast<std::size_t>(i)]); !ok) return ok;
      }
      if (count == 0 && kept_.empty() && !is_needed()) {
        // Whoever comes from here on finds no socket, unless somebody came just before.
        ::unlink(place_.socket.c_str());
        if (!is_needed() && !accept_one()) return {};
        if (auto ok = open_socket(); !ok) return ok;
      }
    }
  }

 private:
  Result<void> watch(int fd, std::uint32_t wanted, std::uint64_t what) {
    epoll_event event{};
    event.events = wanted;
    event.data.u64 = what;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return fail(Error::from_errno(errno, "watch a descriptor"));
    }
    return {};
  }

  Result<void> open_socket() {
    auto socket = listen_at(place_.socket);
    if (!socket) return fail(std::move(socket.error()));
    socket_ = *std::move(socket);
    return watch(socket_.get(), EPOLLIN, kRuntimes);
  }

  /// The worker inherits what is kept, and gets what comes later over the channel.
  Result<void> start_worker() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return fail(Error::from_errno(errno, "make the bind agent's channel"));
    }
    channel_ = UniqueFd(ends[0]);
    UniqueFd theirs(ends[1]);
    const pid_t worker = ::fork();
    if (worker < 0) return fail(Error::from_errno(errno, "fork"));
    if (worker == 0) {
      socket_.reset();
      epoll_.reset();
      channel_.reset();
      be_the_worker(theirs.get(), std::move(kept_), table_);
    }
    worker_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, worker, 0)));
    if (!worker_.valid()) return fail(Error::from_errno(errno, "watch the bind agent's worker"));
    if (auto ok = watch(channel_.get(), EPOLLIN, kWorkerSays); !ok) return ok;
    return watch(worker_.get(), EPOLLIN, kWorkerEnded);
  }

  Result<void> replace_worker() {
    siginfo_t info{};
    ::waitid(P_PIDFD, static_cast<id_t>(worker_.get()), &info, WEXITED);
    // Before the fork: what a child holds as well would be reported for ever.
    worker_.reset();
    channel_.reset();
    table_.fail_all([this](std::uint32_t number) {
      const auto found = kept_.find(number);
      return found == kept_.end() ? -1 : found->second.fd.get();
    });
    std::this_thread::sleep_for(kBeforeAnotherWorker);
    return start_worker();
  }

  Result<void> handle(const epoll_event& event) {
    if (event.data.u64 == kRuntimes) {
      accept_one();
    } else if (event.data.u64 == kWorkerEnded) {
      return replace_worker();
    } else if (event.data.u64 == kWorkerSays) {
      // It cannot serve this one.
      const auto said = receive_message(channel_.get());
      if (said && *said) kept_.erase((*said)->number);
      // Closed: the worker is about to end, which is seen then.
      if (!said || !*said) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, channel_.get(), nullptr);
    } else {
      drop(static_cast<std::uint32_t>(event.data.u64));  // the last process behind it is gone
    }
    return {};
  }

  void drop(std::uint32_t number) {
    const auto found = kept_.find(number);
    if (found == kept_.end()) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd.get(), nullptr);
    kept_.erase(found);
  }

  /// False when nobody is there. What cannot be understood is closed: the container's calls fail then.
  bool accept_one() {
    const UniqueFd connection(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection.valid()) return false;
    auto handed = receive_from_runtime(connection.get());
    if (!handed || !*handed) return true;
    const std::uint32_t number = ++last_number_;
    const int fd = (*handed)->listener.get();
    if (!watch(fd, 0, number)) return true;
    kept_[number] = {std::move((*handed)->listener), std::move((*handed)->metadata)};
    // A worker that is just gone: the next one finds it among what is kept.
    static_cast<void>(send_message(channel_.get(), number, kept_[number].directory, fd));
    return true;
  }

  /// Is there a container, or one being made, that counts on this agent?
  [[nodiscard]] bool is_needed() const {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(containers_, none)) {
      const auto record = read_enforcement(entry.path());
      if (record && *record && (*record)->spec.mechanism == bind::Mechanism::seccomp) return true;
    }
    return false;
  }

  std::string containers_;
  AgentPlace place_;
  bind::CallTable table_;
  UniqueFd epoll_;
  UniqueFd socket_;
  UniqueFd channel_;
  UniqueFd worker_;
  std::uint32_t last_number_ = 0;
  KeptListeners kept_;
};

/// Each container costs keeper and worker a descriptor: as many as the kernel allows, not the usual
/// 1,024.
void allow_many_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// One agent per node. nullopt when there is one.
Result<std::optional<UniqueFd>> claim(const AgentPlace& place) {
  std::error_code failed;
  fs::create_directories(place.directory, failed);
  UniqueFd lock(::open(place.lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.valid()) return fail(Error::from_errno(errno, "open " + place.lock));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return std::optional<UniqueFd>(std::move(lock));
  if (errno == EWOULDBLOCK) return std::optional<UniqueFd>{};
  return fail(Error::from_errno(errno, "lock " + place.lock));
}

}  // namespace

int be_the_agent(const std::string& run_dir, const std::string& node_id) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  ::prctl(PR_SET_NAME, "particle-bind-k");
  allow_many_descriptors();
  const AgentPlace place = agent_place(run_dir, node_id);
  const auto lock = claim(place);
  if (!lock) return report_failure({}, lock.error());
  if (!*lock) return 0;
  auto table = bind::CallTable::make();
  if (!table) return report_failure({}, table.error());
  const auto done = Keeper(run_dir, node_id, *std::move(table)).run();
  ::unlink(place.socket.c_str());
  ::unlink(place.lock.c_str());
  ::rmdir(place.directory.c_str());
  return done ? 0 : report_failure({}, done.error());
}

}  // namespace particle::runtime
