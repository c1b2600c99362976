// SPDX-License-Identifier: Apache-2.0
#include "launcher/spawner_link.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn/packet.hpp"

namespace particle::fleet {
namespace {

namespace fs = std::filesystem;

bool is_program(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0;
}

/// A program with nothing of ours but its end of the pair; every signal as it is by default.
Result<pid_t> run(const std::string& program, int socket) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, socket, spawn::kSocket);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, spawn::kSocket + 1);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  // A session of its own: Ctrl-C is for whoever asked for the job, who then ends it in order.
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  std::string name = program;
  std::array<char*, 2> argv = {name.data(), nullptr};
  std::array<char*, 1> environment = {nullptr};
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, program.c_str(), &actions, &attributes, argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(Error::from_errno(error, "start " + program));
  return pid;
}

Error gone() {
  return Error::of(Errc::interrupted, "hear from particle-spawn",
                   "it was killed, and with it the job's instances");
}

}  // namespace

Result<std::string> find_spawner() {
  constexpr const char* kName = "particle-spawn";
  if (const char* named = std::getenv("PARTICLE_SPAWN"); named != nullptr && *named != '\0') {
    if (is_program(named)) return std::string(named);
    return fail(Error::from_errno(errno, "run $PARTICLE_SPAWN, " + std::string(named)));
  }
  std::error_code ignored;
  const fs::path self = fs::read_symlink("/proc/self/exe", ignored);
  if (fs::path beside = self.parent_path() / kName; is_program(beside)) return beside;
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  for (std::size_t end = 0; end != std::string::npos; rest.erase(0, end + 1)) {
    end = rest.find(':');
    std::string found = rest.substr(0, end) + "/" + kName;
    if (is_program(found)) return found;
    if (end == std::string::npos) break;
  }
  return fail(Error::of(Errc::not_found, "find particle-spawn",
                        "install it beside particle, or set PARTICLE_SPAWN"));
}

Result<SpawnerLink> SpawnerLink::start(const std::string& program, const spawn::Job& job, int netns,
                                       int listeners) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(Error::from_errno(errno, "make a socket pair for particle-spawn"));
  }
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  const Result<pid_t> pid = run(program, theirs.get());
  if (!pid) return fail(pid.error());
  SpawnerLink link(*pid, std::move(ours));
  std::vector<int> descriptors{netns};
  if (listeners >= 0) descriptors.push_back(listeners);
  if (auto ok = link.greet(job, descriptors); !ok) return fail(ok.error());
  return link;
}

Result<void> SpawnerLink::greet(const spawn::Job& job, const std::vector<int>& descriptors) const {
  const std::string bytes = job.encode();
  if (bytes.size() > spawn::kMostBytes) {
    return fail(Error::of(Errc::invalid_argument, "describe the job to particle-spawn",
                          "it has too many mounts"));
  }
  if (const int error = spawn::send(fd(), 0, bytes, descriptors); error != 0) {
    return fail(Error::from_errno(error, "describe the job to particle-spawn"));
  }
  spawn::Packet answer;
  if (spawn::receive(fd(), 0, answer) != spawn::Received::packet) return fail(gone());
  spawn::Reader in(answer.bytes);
  if (in.type() == spawn::Message::ready) return {};
  const int error = in.number<int>();
  return fail(Error::from_errno(error, in.text()));
}

SpawnerLink::~SpawnerLink() {
  if (pid_ <= 0) return;
  kill();
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
}

void SpawnerLink::kill() const {
  ::kill(pid_, SIGKILL);
}

void SpawnerLink::send(std::string bytes, std::vector<UniqueFd> descriptors) {
  waiting_.push_back({std::move(bytes), std::move(descriptors)});
  flush();
}

void SpawnerLink::flush() {
  while (!waiting_.empty()) {
    const Waiting& first = waiting_.front();
    std::vector<int> descriptors;
    descriptors.reserve(first.descriptors.size());
    for (const UniqueFd& one : first.descriptors) descriptors.push_back(one.get());
    const int error = spawn::send(fd(), MSG_DONTWAIT, first.bytes, descriptors);
    if (error == EAGAIN || error == ENOBUFS || error == ETOOMANYREFS) return;
    waiting_.pop_front();  // any other error: receive() will say that it is gone
  }
}

Result<std::vector<spawn::Happened>> SpawnerLink::receive() const {
  std::vector<spawn::Happened> all;
  for (;;) {
    spawn::Packet packet;
    switch (spawn::receive(fd(), MSG_DONTWAIT, packet)) {
      case spawn::Received::nothing:
        return all;
      case spawn::Received::end:
        if (!all.empty()) return all;  // the end is heard next time
        return fail(gone());
      case spawn::Received::packet:
        break;
    }
    spawn::Reader in(packet.bytes);
    if (in.type() != spawn::Message::events) continue;
    for (auto left = in.number<std::uint32_t>(); left > 0 && in.good(); --left) {
      all.push_back(spawn::Happened::decode(in));
    }
  }
}

}  // namespace particle::fleet
