// SPDX-License-Identifier: Apache-2.0
#include "launcher/place.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle_bind/enforce.hpp>

#include "launcher/limit_groups.hpp"
#include "launcher/runtime_sweep.hpp"

namespace particle::fleet {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kRecord = "/job.json";
constexpr int kDeathPatience = 5000;  // ms
constexpr std::chrono::milliseconds kUntilExec{1000};

std::string places_of(const Node& node) {
  return node.run_dir() + "/fleet/" + node.id();
}

Result<void> make_directories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? fail(Error::from_errno(error.value(), "make " + path)) : Result<void>{};
}

/// The directory, locked. nullopt: somebody else has it, or it has just gone.
Result<std::optional<UniqueFd>> lock_directory(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return std::optional<UniqueFd>{};
  if (!fd.valid()) return fail(Error::from_errno(errno, "open " + path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::optional<UniqueFd>{};
    return fail(Error::from_errno(errno, "lock " + path));
  }
  struct stat mine = {};
  struct stat there = {};
  const bool same = ::fstat(fd.get(), &mine) == 0 && ::stat(path.c_str(), &there) == 0 &&
                    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
  if (!same) return std::optional<UniqueFd>{};
  return std::optional<UniqueFd>(std::move(fd));
}

/// Field 22 of /proc/PID/stat: a pid may be another process's by now.
std::string start_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::string word;
  for (int field = 3; field <= 22; ++field) rest >> word;
  return word;
}

Json read_record(const std::string& place) {
  std::ifstream file(place + kRecord);
  return Json::parse(file, nullptr, false);
}

/// The lock of a job's place unless its job lives. A launcher that was killed while it started a program
/// has left the lock to that for the moment until exec.
Result<std::optional<UniqueFd>> lock_of_dead(const std::string& place) {
  const auto deadline = std::chrono::steady_clock::now() + kUntilExec;
  for (;;) {
    auto lock = lock_directory(place);
    if (!lock || *lock || std::chrono::steady_clock::now() > deadline) return lock;
    const Json record = read_record(place);
    if (!record.is_object() ||
        start_time(record.value("spawner", 0)) == record.value("since", std::string())) {
      return lock;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// True when it was there, and is not any more.
bool end_process(pid_t pid, const std::string& since) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid() || start_time(pid) != since) return false;
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) != 0) return false;
  pollfd gone = {process.get(), POLLIN, 0};
  return ::poll(&gone, 1, kDeathPatience) > 0;
}

/// What is left of one job whose launcher is dead. Its instances died with the spawner.
Result<void> end_job(const Node& node, const std::string& job, const std::string& place,
                     std::vector<std::string>& lines) {
  const Json record = read_record(place);
  if (record.is_object()) {
    const pid_t pid = record.value("spawner", 0);
    if (pid > 1 && pid != ::getpid() && end_process(pid, record.value("since", std::string()))) {
      lines.push_back("process " + std::to_string(pid) + ", the spawner of job " + job);
    }
  }
  for (std::string& line : end_containers(node, place, job)) lines.push_back(std::move(line));
  for (const std::string& path : end_limit_groups(limit_groups_of(node, job))) {
    lines.push_back("control group " + path);
  }
  const std::string pool = record.is_object() ? record.value("pool", std::string()) : "";
  if (!pool.empty()) {
    const auto released = node.release(pool, holder_of(job));
    if (!released) return fail(released.error());
    for (const Lease& lease : *released) {
      lines.push_back("lease " + lease.endpoint.to_string() + " of job " + job);
    }
  }
  std::error_code error;
  fs::remove_all(place, error);
  if (error) return fail(Error::from_errno(error.value(), "remove " + place));
  lines.push_back("records of job " + job);
  return {};
}

}  // namespace

std::string holder_of(const std::string& job) {
  return "fleet-" + job;
}

std::string limit_groups_of(const Node& node, const std::string& job) {
  return kLimitGroupPrefix + node.id() + "-" + job;
}

/// How long a job may take to end that has said so.
constexpr std::chrono::milliseconds kEnding{500};

Result<JobPlace> JobPlace::claim(const Node& node, const std::string& job) {
  const std::string path = places_of(node) + "/" + job;
  const auto taken = [&] {
    return Error::of(Errc::already_exists, "start job " + job,
                     "a job of that id runs on this node; choose another id");
  };
  // A job gives its id back a moment after it has said that it ended: the same command again must work.
  const auto deadline = std::chrono::steady_clock::now() + kEnding;
  while (std::chrono::steady_clock::now() < deadline) {
    if (auto ok = make_directories(path); !ok) return fail(ok.error());
    auto lock = lock_directory(path);
    if (!lock) return fail(lock.error());
    if (!*lock) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      continue;
    }
    std::vector<std::string> ignored;
    if (::access((path + kRecord).c_str(), F_OK) == 0) {
      if (auto ok = end_job(node, job, path, ignored); !ok) return fail(ok.error());
      continue;
    }
    JobPlace place(path, **std::move(lock));
    if (auto ok = make_directories(place.stage()); !ok) return fail(ok.error());
    return place;
  }
  return fail(taken());
}

JobPlace::~JobPlace() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  // Those above go with the last.
  fs::remove(fs::path(path_).parent_path(), ignored);
  fs::remove(fs::path(path_).parent_path().parent_path(), ignored);
}

Result<void> JobPlace::record(pid_t spawner, const std::string& pool) const {
  const Json record = {{"spawner", spawner}, {"since", start_time(spawner)}, {"pool", pool}};
  const std::string next = path_ + "/next";
  std::ofstream file(next);
  file << record.dump() << "\n";
  file.close();
  if (!file || ::rename(next.c_str(), (path_ + kRecord).c_str()) != 0) {
    return fail(Error::from_errno(errno, "write " + path_ + kRecord));
  }
  return {};
}

Result<std::vector<std::string>> sweep_places(const Node& node) {
  std::vector<std::string> lines;
  const std::string places = places_of(node);
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(places, none)) {
    const Result<std::optional<UniqueFd>> lock = lock_of_dead(entry.path());
    if (!lock) return fail(lock.error());
    if (!*lock) continue;  // it lives
    if (auto ok = end_job(node, entry.path().filename(), entry.path(), lines); !ok) {
      return fail(ok.error());
    }
  }
  fs::remove(places, none);
  fs::remove(fs::path(places).parent_path(), none);
  // The enforcer's groups, whose leases are given back by now.
  const auto ended = bind::sweep(node.run_dir(), node.id(), [&node] { return node.leases(); });
  if (!ended) return fail(ended.error());
  for (const std::string& one : *ended) lines.push_back("bind enforcement of " + one);
  return lines;
}

}  // namespace particle::fleet
