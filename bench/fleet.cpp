// SPDX-License-Identifier: Apache-2.0
/// Bursts of instances of one job, from asking for them until the last one runs, and until all have ended;
/// what a burst costs on each backend, and what an idle instance takes in memory.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <unistd.h>

#include <particle_fleet/launcher.hpp>

#include "baselines/sandbox.hpp"
#include "engines/engine.hpp"
#include "harness/machine.hpp"
#include "harness/open_node.hpp"
#include "harness/testbed.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

namespace fs = std::filesystem;
using fleet::Phase;

constexpr const char* kPool = "burst";
constexpr double kBurstTarget = 1000;  // ms, for a thousand instances

/// Keeps when each instance ran and ended.
class Watch : public fleet::JobObserver {
 public:
  void on_event(const fleet::Event& event) override {
    const std::lock_guard guard(mutex_);
    if (event.phase == Phase::started) started_.push_back(event.at);
    if (event.phase == Phase::done) {
      ended_ = event.at;
      ++done_;
      if (event.ended != fleet::Ended::ok && problem_.empty()) problem_ = event.detail;
    }
    changed_.notify_all();
  }
  void on_output(std::uint64_t, fleet::Stream, std::string_view) override {}
  void on_lost(const Error& error) override {
    const std::lock_guard guard(mutex_);
    problem_ = error.message();
    changed_.notify_all();
  }
  /// Until so many run; for commands that go on.
  void wait_for_started(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return started_.size() >= count || !problem_.empty(); });
  }
  std::vector<std::chrono::system_clock::time_point> started() {
    const std::lock_guard guard(mutex_);
    return started_;
  }
  std::chrono::system_clock::time_point ended() {
    const std::lock_guard guard(mutex_);
    return ended_;
  }
  std::string problem() {
    const std::lock_guard guard(mutex_);
    return problem_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::chrono::system_clock::time_point> started_;
  std::chrono::system_clock::time_point ended_;
  std::size_t done_ = 0;
  std::string problem_;
};

/// A static busybox, and nothing else.
class Rootfs {
 public:
  static Result<Rootfs> make(const std::string& parent) {
    Rootfs root(parent + "/rootfs");
    std::error_code error;
    fs::create_directories(root.path_ + "/bin", error);
    fs::copy_file("/bin/busybox", root.path_ + "/bin/busybox", error);
    for (const char* name : {"/proc", "/dev", "/sys", "/tmp", "/etc"}) {
      fs::create_directory(root.path_ + name, error);  // runc wants them there
    }
    for (const char* name : {"true", "sleep"}) {
      fs::create_symlink("busybox", root.path_ + "/bin/" + name, error);
    }
    if (error) return fail(Error::from_errno(error.value(), "make an image of busybox"));
    return root;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit Rootfs(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

struct Burst {
  double job = 0;                  ///< ms: what the instances share
  double last_runs = 0;            ///< ms from add() until the last one runs
  double all_ended = 0;            ///< ms from add()
  double gone = 0;                 ///< ms from add() until nothing is left
  std::vector<double> to_running;  ///< ms, each
};

fleet::JobSpec spec_for(const std::string& image, const std::string& id,
                        std::vector<std::string> command, bind::Mechanism enforce) {
  fleet::JobSpec spec;
  spec.id = id;
  spec.pool = kPool;
  spec.function.image = image;
  spec.function.command = std::move(command);
  spec.function.enforce = enforce;
  return spec;
}

std::vector<fleet::InstanceSpec> instances(std::size_t count) {
  std::vector<fleet::InstanceSpec> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i].index = i;
  return all;
}

/// One job of `count` instances that do nothing.
Result<Burst> burst(const fleet::Launcher& launcher, const fleet::JobSpec& spec,
                    std::size_t count) {
  Watch watch;
  Burst result;
  const auto begin = Clock::now();
  auto job = launcher.start(spec, watch);
  if (!job) return fail(job.error());
  result.job = to_ms(Clock::now() - begin);
  const auto asked = std::chrono::system_clock::now();
  const auto from = Clock::now();
  if (auto ok = (*job)->add(instances(count)); !ok) return fail(ok.error());
  if (auto ok = (*job)->finish(); !ok) return fail(ok.error());
  if (auto ok = (*job)->wait(); !ok) return fail(ok.error());
  result.gone = to_ms(Clock::now() - from);
  if (!watch.problem().empty()) return fail(Error::of(Errc::conflict, watch.problem()));
  for (const auto& at : watch.started()) {
    result.to_running.push_back(std::chrono::duration<double, std::milli>(at - asked).count());
  }
  std::sort(result.to_running.begin(), result.to_running.end());
  if (result.to_running.size() != count) {
    return fail(Error::of(Errc::conflict, "not every instance of the burst ran"));
  }
  result.last_runs = result.to_running.back();
  result.all_ended = std::chrono::duration<double, std::milli>(watch.ended() - asked).count();
  return result;
}

double quantile(const std::vector<double>& sorted, double part) {
  const auto at =
      static_cast<std::size_t>(std::lround(part * static_cast<double>(sorted.size() - 1)));
  return sorted[at];
}

Result<void> bursts(const fleet::Launcher& launcher, const std::string& image,
                    const Options& options, Results& results) {
  for (const std::size_t count : {1U, 10U, 100U, 1000U}) {
    if (options.quick && count > 100) continue;
    Series middle;
    Series late;
    Series last;
    Series ended;
    Series gone;
    Series shared;
    for (std::size_t i = 0; i < options.repeats(count == 1000 ? 7 : 15); ++i) {
      auto one =
          burst(launcher, spec_for(image, "burst", {"true"}, bind::Mechanism::automatic), count);
      if (!one) return fail(one.error());
      middle.add(quantile(one->to_running, 0.5));
      late.add(quantile(one->to_running, 0.99));
      last.add(one->last_runs);
      ended.add(one->all_ended);
      gone.add(one->gone);
      shared.add(one->job);
    }
    const std::string what = "burst of " + std::to_string(count) + ": ";
    results.add(what + "making what the job shares", shared);
    results.add(what + "request to running, p50", middle);
    results.add(what + "request to running, p99", late);
    results.add(what + "until the last one runs", last);
    results.add(what + "until all have ended", ended);
    results.add(what + "until nothing is left", gone);
    if (count == 1000) {
      results.add_ratio("a thousand instances, until all have ended, per second",
                        ended.median() / kBurstTarget, 1.0);
    }
  }
  return {};
}

/// What an enforcer costs: the same burst with and without it.
Result<void> enforcement(const fleet::Launcher& launcher, const std::string& image,
                         bind::Mechanism by, const Options& options, Results& results) {
  if (auto usable = bind::probe(by); !usable) {
    results.note("SKIP: enforcement by " + std::string(bind::to_string(by)) + ": " +
                 usable.error().message());
    return {};
  }
  Comparison line;
  const std::size_t count = options.quick ? 10 : 1000;
  line.what = "burst of " + std::to_string(count) + ", until all have ended";
  line.left_name = "enforced by " + std::string(bind::to_string(by));
  line.right_name = "not enforced";
  const auto run = [&](bind::Mechanism mechanism) -> Result<double> {
    auto one = burst(launcher, spec_for(image, "burst", {"true"}, mechanism), count);
    return one ? Result<double>(one->all_ended) : fail(one.error());
  };
  auto done = interleave(
      options.repeats(5), [&] { return run(by); }, [&] { return run(bind::Mechanism::off); },
      line.left, line.right);
  if (done) results.add(line);
  return done;
}

/// KiB of /proc/PID/smaps_rollup's Pss, of a process and all below it.
double pss_below(pid_t root) {
  std::map<pid_t, pid_t> parent;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string line;
    std::getline(file, line);
    const std::size_t end = line.rfind(')');
    int above = 0;
    if (end != std::string::npos && std::sscanf(line.c_str() + end + 3, " %d", &above) == 1) {
      parent[std::stoi(name)] = above;
    }
  }
  double total = 0;
  for (const auto& [pid, above] : parent) {
    pid_t up = pid;
    while (up > 1 && up != root && parent.contains(up)) up = parent[up];
    if (up != root || pid == root) continue;
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; file >> word;) {
      double value = 0;
      if (word == "Pss:" && file >> value) total += value;
    }
  }
  return total;
}

Result<void> memory(const fleet::Launcher& launcher, const std::string& image,
                    const Options& options, Results& results) {
  const std::size_t count = options.quick ? 10 : 500;
  Watch watch;
  const double before = kernel_memory_kib();
  auto job =
      launcher.start(spec_for(image, "idle", {"sleep", "600"}, bind::Mechanism::automatic), watch);
  if (!job) return fail(job.error());
  if (auto ok = (*job)->add(instances(count)); !ok) return ok;
  watch.wait_for_started(count);
  if (!watch.problem().empty()) return fail(Error::of(Errc::conflict, watch.problem()));
  Series pages;
  Series kernel;
  pages.add(pss_below(::getpid()) / static_cast<double>(count));
  kernel.add((kernel_memory_kib() - before) / static_cast<double>(count));
  results.add("memory of an idle instance: PSS of its processes", pages, "KiB");
  results.add("memory of an idle instance: the kernel's", kernel, "KiB");
  (*job)->kill();
  return (*job)->wait();
}

/// A bundle for runc: what its `spec` makes, without a terminal, in the pool's namespace.
Result<void> make_bundle(const std::string& path, const std::string& rootfs,
                         const std::string& netns) {
  const auto mount = [](const char* at, const char* type, Json options) {
    return Json{{"destination", at}, {"type", type}, {"source", type}, {"options", options}};
  };
  Json namespaces = {{{"type", "network"}, {"path", netns}}};
  for (const char* type : {"pid", "ipc", "uts", "mount", "cgroup"}) {
    namespaces.push_back({{"type", type}});
  }
  const Json config = {
      {"ociVersion", "1.0.2"},
      {"process",
       {{"user", {{"uid", 0}, {"gid", 0}}},
        {"args", {"true"}},
        {"env", {"PATH=/bin"}},
        {"cwd", "/"},
        {"noNewPrivileges", true}}},
      {"root", {{"path", rootfs}, {"readonly", true}}},
      {"mounts",
       {mount("/proc", "proc", Json::array()), mount("/dev", "tmpfs", {"nosuid", "mode=755"}),
        mount("/dev/pts", "devpts", {"newinstance", "ptmxmode=0666"}),
        mount("/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev"}),
        mount("/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
        mount("/sys", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
        mount("/tmp", "tmpfs", {"nosuid", "nodev"})}},
      {"linux",
       {{"namespaces", namespaces},
        {"maskedPaths", {"/proc/keys", "/proc/timer_list"}},
        {"readonlyPaths", {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"}}}}};
  std::error_code error;
  fs::create_directories(path, error);
  std::ofstream file(path + "/config.json");
  file << config.dump();
  file.close();
  return file ? Result<void>{} : fail(Error::from_errno(EIO, "write " + path + "/config.json"));
}

/// Milliseconds until `count` containers of runc have run and ended.
Result<double> runc_burst(const Engine& engine, const std::string& bundle, std::size_t count,
                          std::size_t round) {
  std::vector<Words> commands;
  commands.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    commands.push_back({"runc", "--root", engine.box().directory() + "/runc", "run", "--bundle",
                        bundle, "r" + std::to_string(round) + "-" + std::to_string(i)});
  }
  const auto from = Clock::now();
  if (auto done = engine.box().run_all(commands, {}); !done) return fail(done.error());
  return to_ms(Clock::now() - from);
}

/// The same burst on other runtimes: what ends by itself on runc, what stays on containerd.
Result<void> beside_others(const Testbed& bed, const fleet::Launcher& launcher,
                           const std::string& image, const Options& options, Results& results) {
  if (const auto missing = missing_for(EngineKind::containerd, Network::pool); !missing.empty()) {
    results.note("SKIP: component containerd: " + missing);
    return {};
  }
  auto engine = start_engine(EngineKind::containerd,
                             {bed.netns(), bed.run_dir() + "/containerd", bed.run_dir()});
  if (!engine) return fail(std::move(engine.error()));
  const std::size_t count = options.quick ? 10 : 100;
  const auto pool = bed.node().find_pool(kPool);
  if (!pool) return fail(pool.error());
  const std::string bundle = bed.run_dir() + "/bundle";
  if (auto ok = make_bundle(bundle, image, pool->netns_path); !ok) return ok;
  const auto ours = [&]() -> Result<double> {
    auto one =
        burst(launcher, spec_for(image, "burst", {"true"}, bind::Mechanism::automatic), count);
    return one ? Result<double>(one->all_ended) : fail(one.error());
  };
  std::size_t round = 0;
  Comparison line;
  line.what = "burst of " + std::to_string(count) + ", until all have ended";
  line.left_name = "built-in";
  line.right_name = "runc run, " + std::to_string(kAtATime) + " at a time";
  line.right_over_left = true;
  auto done = interleave(
      options.repeats(5), ours, [&] { return runc_burst(**engine, bundle, count, round++); },
      line.left, line.right);
  if (!done) return done;
  results.add(line);
  line = {};
  line.what = "burst of " + std::to_string(count) + ", until the last one runs";
  line.left_name = "built-in";
  line.right_name = "ctr run in the pool, " + std::to_string(kAtATime) + " at a time";
  line.right_over_left = true;
  done = interleave(
      options.repeats(5), ours,
      [&]() -> Result<double> {
        std::vector<std::string> ids;
        ids.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
          ids.push_back("c" + std::to_string(round) + "-" + std::to_string(i));
        }
        ++round;
        auto took = start_containers(**engine, Network::pool, kPool, ids, {});
        if (!took) return took;
        if (auto gone = remove_containers(**engine, ids); !gone) return gone;
        return took;
      },
      line.left, line.right);
  if (done) results.add(line);
  return done;
}

Result<void> work(const Options& options, Results& results) {
  if (auto done = baselines::enter_private_mounts(); !done) return done;
  auto bed = Testbed::make("/run");
  if (!bed) return fail(std::move(bed.error()));
  PoolSpec pool = spec_of(kPool, 1024, AddressMode::anyip);
  pool.cooldown = std::chrono::milliseconds(0);
  if (auto made = bed->node().create_pool(pool); !made) return fail(std::move(made.error()));
  auto rootfs = Rootfs::make(bed->run_dir());
  if (!rootfs) return fail(rootfs.error());
  auto node = open_node(bed->netns(), bed->run_dir());
  if (!node) return fail(node.error());
  auto launcher = fleet::Launcher::open(*std::move(node));
  if (!launcher) return fail(launcher.error());
  if (auto done = bursts(*launcher, rootfs->path(), options, results); !done) return done;
  for (const bind::Mechanism by : {bind::Mechanism::ebpf, bind::Mechanism::seccomp}) {
    if (auto done = enforcement(*launcher, rootfs->path(), by, options, results); !done) {
      return done;
    }
  }
  if (auto done = memory(*launcher, rootfs->path(), options, results); !done) return done;
  return beside_others(*bed, *launcher, rootfs->path(), options, results);
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(
      argc, argv, "bench-fleet",
      "Bursts of instances of one job: from asking for them until they run and have ended.",
      particle::bench::work);
}
