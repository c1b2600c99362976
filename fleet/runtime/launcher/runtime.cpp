// SPDX-License-Identifier: Apache-2.0
#include "launcher/runtime.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "launcher/bundle.hpp"
#include "launcher/limit_groups.hpp"
#include "launcher/place.hpp"
#include "launcher/program.hpp"
#include "launcher/runtime_sweep.hpp"

namespace particle::fleet {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// So many clients start a container at a time: more only wait for each other.
constexpr std::size_t kAtATime = 8;
constexpr std::uint64_t kNotify = 0;

Result<void> mount_root(const std::string& bundle, const std::vector<std::string>& layers) {
  std::error_code error;
  for (const char* name : {"/upper", "/work", "/rootfs"}) {
    fs::create_directories(bundle + name, error);
    if (error) return fail(Error::from_errno(error.value(), "make " + bundle + name));
  }
  std::string options = "upperdir=" + bundle + "/upper,workdir=" + bundle + "/work,lowerdir=";
  for (std::size_t i = layers.size(); i > 0; --i) options += layers[i - 1] + (i > 1 ? ":" : "");
  const std::string root = bundle + "/rootfs";
  if (::mount("overlay", root.c_str(), "overlay", MS_NODEV, options.c_str()) == 0) return {};
  return fail(Error::from_errno(errno, "mount overlay at " + root));
}

/// What runc wrote into its log when it failed: the last line's "msg".
std::string last_words(const std::string& log) {
  std::ifstream file(log);
  std::string found;
  for (std::string line; std::getline(file, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_object()) found = json.value("msg", found);
  }
  return found;
}

Result<pid_t> run(const std::vector<std::string>& words, const Begin& instance) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (instance.input.valid()) {
    ::posix_spawn_file_actions_adddup2(&actions, instance.input.get(), 0);
  } else {
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  }
  ::posix_spawn_file_actions_adddup2(&actions, instance.output.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, instance.error.get(), 2);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(Error::from_errno(error, "run " + words.front()));
  return pid;
}

}  // namespace

Runtime::Runtime(const Workplace& place, RuntimeChoice choice)
    : place_(place),
      choice_(std::move(choice)),
      directory_(fs::path(place.stage).parent_path().string() + kBundles) {}

Result<std::unique_ptr<Starter>> Runtime::open(const Workplace& place,
                                               const RuntimeChoice& choice) {
  if (place.enforce != bind::Mechanism::off) {
    return fail(Error::of(Errc::unsupported, "enforce instances of another runtime",
                          "the built-in backend does; --enforce off goes without"));
  }
  if (auto said = run_program({choice.program, "--version"}); !said) return fail(said.error());
  std::unique_ptr<Runtime> made(new Runtime(place, choice));
  std::error_code error;
  fs::create_directories(made->directory_, error);
  if (error) return fail(Error::from_errno(error.value(), "make " + made->directory_));
  made->epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  made->notify_ = UniqueFd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = kNotify;
  if (!made->epoll_.valid() || !made->notify_.valid() ||
      ::epoll_ctl(made->epoll_.get(), EPOLL_CTL_ADD, made->notify_.get(), &event) != 0) {
    return fail(Error::from_errno(errno, "prepare to watch " + choice.program));
  }
  // For sweep().
  std::ofstream(made->directory_ + kRuntimeRecord) << Json{
      {"containerd", choice.containerd}, {"program", choice.program}, {"socket", choice.socket}};
  return std::unique_ptr<Starter>(std::move(made));
}

Runtime::~Runtime() {
  Runtime::kill_all();
  Runtime::kill_hard();
  for (auto& [token, client] : clients_) {
    int status = 0;
    while (::waitpid(client.pid, &status, 0) < 0 && errno == EINTR) {
    }
    remove(token, client, WIFSIGNALED(status));
  }
  end_limit_groups(limit_groups_of(*place_.node, place_.job.id));
}

pid_t Runtime::process() const {
  return ::getpid();
}

/// The path by which the runtime finds the lease's namespace. The pin may be in another mount namespace than
/// runc's, which is ours; containerd's is the node's.
Result<std::string> Runtime::netns_of(const Lease& lease) {
  if (choice_.containerd) return lease.netns_path;
  auto found = netns_.find(lease.netns_path);
  if (found == netns_.end()) {
    auto opened = open_pinned_netns(lease.netns_path);
    if (!opened) return fail(std::move(opened.error()));
    found = netns_.emplace(lease.netns_path, *std::move(opened)).first;
  }
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(found->second.fd());
}

std::string Runtime::id_of(std::uint64_t token) const {
  return container_id(*place_.node, place_.job.id, token);
}

std::vector<std::string> Runtime::words(const std::string& bundle, std::uint64_t token) const {
  if (choice_.containerd) {
    return {choice_.program,         "--address",  choice_.socket,  "--namespace",
            kContainerdNamespace,    "run",        "--rm",          "--config",
            bundle + "/config.json", "--pid-file", bundle + "/pid", id_of(token)};
  }
  return {choice_.program, "--root",        runc_root(directory_),
          "--log",         bundle + "/log", "--log-format",
          "json",          "run",           "--bundle",
          bundle,          "--pid-file",    bundle + "/pid",
          id_of(token)};
}

void Runtime::begin(std::vector<Begin> instances) {
  for (Begin& one : instances) waiting_.push_back(std::move(one));
  start_more();
}

void Runtime::start_more() {
  while (starting_ < kAtATime && !waiting_.empty()) {
    Begin one = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto ok = start(one); !ok) {
      report(one.token, Progress::What::refused, 0, ok.error().message());
    }
  }
}

Result<void> Runtime::start(Begin& instance) {
  Client client;
  client.bundle = directory_ + "/" + std::to_string(instance.token);
  Result<void> done = mount_root(client.bundle, place_.layers);
  const auto netns = netns_of(instance.lease);
  if (done && !netns) done = fail(netns.error());
  if (done) done = write_bundle(client.bundle, place_, instance, *netns);
  if (done) {
    client.watch =
        ::inotify_add_watch(notify_.get(), client.bundle.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE);
    const Result<pid_t> pid = run(words(client.bundle, instance.token), instance);
    if (pid) client.pid = *pid;
    if (!pid) done = fail(pid.error());
  }
  if (!done) {
    remove_bundle(client.bundle);
    return done;
  }
  client.ended = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, client.pid, 0)));
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = instance.token;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client.ended.get(), &event);
  watched_[client.watch] = instance.token;
  clients_.emplace(instance.token, std::move(client));
  ++starting_;
  return {};
}

void Runtime::report(std::uint64_t token, Progress::What what, int value, std::string text) {
  progress_.push_back(
      {token, what, std::chrono::system_clock::now(), value, false, std::move(text)});
}

void Runtime::note_start(std::uint64_t token, Client& client) {
  if (client.first > 0) return;
  std::ifstream file(client.bundle + "/pid");
  if (!(file >> client.first) || client.first <= 0) return;
  ::inotify_rm_watch(notify_.get(), client.watch);
  watched_.erase(client.watch);
  --starting_;
  report(token, Progress::What::created);
  report(token, Progress::What::started);
  if (client.kill) ::kill(client.first, SIGKILL);
}

void Runtime::look_for_starts() {
  alignas(inotify_event) std::array<char, 16384> bytes{};
  for (;;) {
    const ssize_t size = ::read(notify_.get(), bytes.data(), bytes.size());
    if (size <= 0) return;
    for (ssize_t at = 0; at < size;) {
      inotify_event event{};
      std::memcpy(&event, &bytes[static_cast<std::size_t>(at)], sizeof(event));
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      const auto found = watched_.find(event.wd);
      if (found == watched_.end()) continue;
      const std::uint64_t token = found->second;
      note_start(token, clients_.at(token));
    }
  }
}

void Runtime::reap(std::uint64_t token) {
  const auto found = clients_.find(token);
  if (found == clients_.end()) return;
  Client client = std::move(found->second);
  clients_.erase(found);
  int status = 0;
  while (::waitpid(client.pid, &status, 0) < 0 && errno == EINTR) {
  }
  note_start(token, client);
  // runc writes the pid before it finds that there is no such program.
  std::string why = last_words(client.bundle + "/log");
  if (client.first > 0 && !why.empty() && !client.kill) {
    report(token, Progress::What::refused, 0, why);
  } else if (client.first <= 0) {
    ::inotify_rm_watch(notify_.get(), client.watch);
    watched_.erase(client.watch);
    --starting_;
    if (why.empty()) why = choice_.program + " failed; see what it wrote to standard error";
    report(token, client.kill ? Progress::What::ended : Progress::What::refused, SIGKILL, why);
  } else {
    // Both say 128 and the number for a signal.
    constexpr int kSignalled = 128;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
    const bool signalled = code > kSignalled && code <= kSignalled + SIGRTMAX;
    report(token, Progress::What::ended, signalled ? code - kSignalled : code << 8);
  }
  remove(token, client, WIFSIGNALED(status));
}

void Runtime::remove(std::uint64_t token, const Client& client, bool killed) const {
  // Nothing is left of most: only where the client was killed.
  const bool left =
      choice_.containerd ? killed : fs::exists(runc_root(directory_) + "/" + id_of(token));
  if (left) delete_container(choice_, directory_, id_of(token));
  remove_bundle(client.bundle);
}

Result<std::vector<Progress>> Runtime::pump() {
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
    if (token == kNotify) {
      look_for_starts();
    } else {
      reap(token);
    }
  }
  start_more();
  return std::exchange(progress_, {});
}

void Runtime::signal(std::uint64_t token, int number) {
  const auto found = clients_.find(token);
  if (found == clients_.end()) return;
  if (found->second.first > 0) {
    ::kill(found->second.first, number);
  } else {
    found->second.kill = found->second.kill || number == SIGKILL;
  }
}

void Runtime::kill_all() {
  for (const Begin& one : waiting_) report(one.token, Progress::What::ended, SIGKILL);
  waiting_.clear();
  for (auto& [token, client] : clients_) {
    client.kill = true;
    if (client.first > 0) ::kill(client.first, SIGKILL);
  }
}

void Runtime::kill_hard() {
  for (auto& [token, client] : clients_) ::kill(client.pid, SIGKILL);
}

}  // namespace particle::fleet
