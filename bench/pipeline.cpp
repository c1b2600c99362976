// SPDX-License-Identifier: Apache-2.0
/// Figure 3.5 and table 3.5 of the dissertation: a video pipeline of three stages, each on a node of its own
/// (a namespace), a container for every chunk and stage; in a pool, and with a namespace and a veth for
/// each container, connected by one `ip` command per step; on Docker Swarm's overlay, where Docker is.
/// And what is handed from worker to worker, straight and through a store.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <particle_fleet/launcher.hpp>
#include <particle_fleet/timeline.hpp>
#include <particle_sprocket/local_job.hpp>
#include <particle_sprocket/pipeline.hpp>

#include "baselines/sandbox.hpp"
#include "harness/fleet.hpp"
#include "harness/open_node.hpp"
#include "pipeline/spread_job.hpp"
#include "pipeline/swarm.hpp"
#include "support/processes.hpp"
#include "support/results.hpp"

namespace particle::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNodes = 3;
constexpr std::size_t kChunks = 100;
constexpr const char* kPool = "video";
constexpr double kFasterThanOverlay = 3;
/// Docker starts some five containers a second here: a hundred chunks of three stages take it a minute.
constexpr std::size_t kSwarmChunks = 20;
constexpr double kFasterThanSwarm = 10;

constexpr const char* kNullSpec = R"({"nodes": [
  {"name": "first", "stage": "null"}, {"name": "second", "stage": "null"},
  {"name": "third", "stage": "null"}],
 "streams": [{"src": "input_0:chunks", "dst": "first:chunks"},
  {"src": "first:chunks", "dst": "second:chunks"}, {"src": "second:chunks", "dst": "third:chunks"},
  {"src": "third:chunks", "dst": "output_0:chunks"}]})";

constexpr const char* kGraySpec = R"({"nodes": [
  {"name": "decode", "stage": "decode"},
  {"name": "grayscale", "stage": "filter", "parameters": {"filter": "hue=s=0"}},
  {"name": "encode", "stage": "encode",
   "parameters": {"codec": "libx264", "options": ["-preset", "ultrafast"]}}],
 "streams": [{"src": "input_0:chunks", "dst": "decode:chunks"},
  {"src": "decode:frames", "dst": "grayscale:frames"},
  {"src": "grayscale:frames", "dst": "encode:frames"},
  {"src": "encode:chunks", "dst": "output_0:chunks"}]})";

/// A VTEP as an overlay makes it that is used the ordinary way: it learns, and floods to the others.
constexpr const char* kMakeVtep = R"(set -e
vtep=$1; shift
ip netns add "$vtep"
ip link add name vx0 type vxlan id 5001 dstport 4789 local "$1"; shift
ip link set vx0 netns "$vtep"
ip -n "$vtep" link add name br0 type bridge
ip -n "$vtep" link set vx0 master br0 up
ip -n "$vtep" link set br0 up
for other; do
  ip netns exec "$vtep" bridge fdb append 00:00:00:00:00:00 dev vx0 dst "$other"
done
)";

/// One container connected as in figure 3.1, one command a step; then the worker in it.
constexpr const char* kConnectAndRun = R"(set -e
vtep=$1 name=$2 address=$3; shift 3
trap 'ip netns del "$name" 2>/dev/null || :' EXIT
ip netns add "$name"
ip link add "v$name" type veth peer name "g$name"
ip link set "v$name" netns "$vtep"
ip link set "g$name" netns "$name"
ip -n "$vtep" link set "v$name" mtu 1450 master br0 up
ip -n "$name" link set "g$name" name eth0 mtu 1450 up
ip -n "$name" addr add "$address/16" dev eth0
PARTICLE_IP=$address ip netns exec "$name" "$@"
)";

std::string program(const char* name) {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path() / name;
}

/// Three nodes that have pools of one tenant, and beside them VTEPs for the ordinary way.
class Bed {
 public:
  static Result<std::unique_ptr<Bed>> make(const std::string& directory);
  ~Bed();
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  /// `start` of a pipeline whose instances are containers in the pools.
  [[nodiscard]] sprocket::StartJob in_pools() const;
  /// The same as processes, each in a namespace of its own.
  [[nodiscard]] sprocket::StartJob one_by_one();
  /// The first node, for an engine beside the pools.
  [[nodiscard]] const NetNs& first_node() const { return fleet_.nodes.front().netns; }

 private:
  explicit Bed(Fleet fleet) : fleet_(std::move(fleet)) {}
  Result<void> make_pools();
  Result<void> make_vteps();
  Result<void> open_launchers(const std::string& run_dir);

  Fleet fleet_;
  std::vector<fleet::Launcher> launchers_;
  std::uint64_t containers_ = 0;  ///< so far: each gets an address of its own
};

Result<std::unique_ptr<Bed>> Bed::make(const std::string& directory) {
  auto fleet = make_fleet(kNodes, directory);
  if (!fleet) return fail(std::move(fleet.error()));
  std::unique_ptr<Bed> bed(new Bed(*std::move(fleet)));
  if (auto done = bed->make_pools(); !done) return fail(std::move(done.error()));
  if (auto done = bed->make_vteps(); !done) return fail(std::move(done.error()));
  if (auto done = bed->open_launchers(directory); !done) return fail(std::move(done.error()));
  return bed;
}

Bed::~Bed() {
  launchers_.clear();
  for (const FleetNode& node : fleet_.nodes) (void)node.node.delete_pool(kPool, true);
}

Result<void> Bed::make_pools() {
  std::vector<Peer> peers;
  for (std::size_t i = 0; i < kNodes; ++i) {
    PoolSpec spec;
    spec.name = spec.tenant = kPool;
    spec.vni = *Vni::from(5000);
    spec.blocks = {{*IpPrefix::parse("10.3." + std::to_string(i) + ".0/24"), std::nullopt}};
    spec.count = kChunks * 2;  // retries, and endpoints that are let go a little later
    spec.underlay.address = fleet_.nodes[i].underlay;
    auto made = fleet_.nodes[i].node.create_pool(spec);
    if (!made) return fail(std::move(made.error()));
    peers.push_back({kPool, made->pool.vtep, made->pool.mac, made->pool.routes, {}});
  }
  for (std::size_t i = 0; i < kNodes; ++i) {
    std::vector<Peer> others = peers;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    auto done = fleet_.nodes[i].node.replace_peers(kPool, "bench", others);
    if (!done) return fail(std::move(done.error()));
  }
  return {};
}

Result<void> Bed::make_vteps() {
  for (std::size_t i = 0; i < kNodes; ++i) {
    std::vector<std::string> words{"/bin/sh", "-c", kMakeVtep, "sh", "vtep" + std::to_string(i)};
    words.push_back(fleet_.nodes[i].underlay.to_string());
    for (std::size_t j = 0; j < kNodes; ++j) {
      if (j != i) words.push_back(fleet_.nodes[j].underlay.to_string());
    }
    auto shell = start_in(fleet_.nodes[i].netns, words);
    if (!shell) return fail(std::move(shell.error()));
    if (auto done = wait_for(*shell, "making a VTEP"); !done) return done;
  }
  return {};
}

Result<void> Bed::open_launchers(const std::string& run_dir) {
  for (std::size_t i = 0; i < kNodes; ++i) {
    auto node = open_node(fleet_.nodes[i].netns, run_dir);
    if (!node) return fail(std::move(node.error()));
    fleet::LauncherOptions options;
    options.name = fleet_.nodes[i].name;
    auto launcher = fleet::Launcher::open(*std::move(node), options);
    if (!launcher) return fail(std::move(launcher.error()));
    launchers_.push_back(*std::move(launcher));
  }
  return {};
}

sprocket::StartJob Bed::in_pools() const {
  return [this](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    return SpreadJob::start(
        kNodes,
        [&](std::size_t i, fleet::JobObserver& one) { return launchers_[i].start(job, one); }, {},
        observer);
  };
}

sprocket::StartJob Bed::one_by_one() {
  return [this](const fleet::JobSpec& job, fleet::JobObserver& observer) {
    const auto connect = [this, worker = job.function.command](fleet::InstanceSpec& instance,
                                                               std::size_t node) {
      const std::uint64_t number = ++containers_;
      const std::string pin = "/proc/" + std::to_string(::getpid()) + "/fd/" +
                              std::to_string(fleet_.nodes[node].netns.fd());
      instance.command = {"/usr/bin/nsenter",
                          "--net=" + pin,
                          "/bin/sh",
                          "-c",
                          kConnectAndRun,
                          "sh",
                          "vtep" + std::to_string(node),
                          "c" + std::to_string(number),
                          IpAddress::parse("10.200.0.0")->plus(number).value().to_string()};
      instance.command.insert(instance.command.end(), worker.begin(), worker.end());
    };
    return SpreadJob::start(
        kNodes,
        [&](std::size_t, fleet::JobObserver& one) { return sprocket::start_local_job(job, one); },
        connect, observer);
  };
}

/// What the runs of one way came to.
struct Way {
  const char* name = "";
  sprocket::StartJob start;
  sprocket::Transfer transfer_by = sprocket::Transfer::direct;
  Series total, startup, transfer, processing;  ///< ms; shares in percent
  Series hand_over;                             ///< ms, of each item between two stages: the mean
  Series hand_overs;                            ///< ms, of all of them
  std::vector<fleet::Event> events;             ///< of the last run
};

struct Workload {
  const char* name;
  const char* spec;
  std::string input;
  std::uint64_t at_once;   ///< workers that work at the same time; 0: all
  std::string store = {};  ///< a directory for transfer through a store
};

/// What it took to get items from stage to stage: to make or write them, and to pull or read them.
void add_hand_overs(const sprocket::Pipespec& spec, const sprocket::PipelineSummary& summary,
                    Way& way) {
  double all = 0;
  std::size_t pulls = 0;
  for (const sprocket::TaskRun& run : summary.runs) {
    if (!run.ok) continue;
    // What the first stage reads and the last one makes does not go from stage to stage.
    const bool pulled = run.node != spec.nodes.front().name;
    const bool handed = run.node != spec.nodes.back().name;
    pulls += pulled ? 1 : 0;
    if (pulled) all += to_ms(run.pulled);
    if (handed) all += to_ms(run.handed);
  }
  way.hand_over.add(all / static_cast<double>(pulls));
  way.hand_overs.add(all);
}

Result<void> run_once(const Workload& workload, Way& way, bool keep) {
  auto spec = sprocket::parse_pipespec(workload.spec, workload.name);
  if (!spec) return fail(std::move(spec.error()));
  sprocket::PipelineOptions options;
  options.inputs[0] = workload.input;
  options.outputs[0] = "null:";
  options.concurrency = workload.at_once;
  options.transfer = way.transfer_by;
  options.store = workload.store;
  options.task_timeout = std::chrono::minutes(5);  // Docker's client counts as started at once
  for (std::size_t i = 0; i < kNodes; ++i) options.nodes.push_back(std::to_string(i));
  static std::uint64_t number = 0;
  options.job.id = "bench-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  options.job.pool = kPool;
  options.job.function.command = {program("particle-worker")};
  sprocket::PipelineWatch watch;
  way.events.clear();
  watch.event = [&](const fleet::Event& event) { way.events.push_back(event); };
  auto summary = sprocket::run_pipeline(*spec, options, way.start, watch);
  if (!summary) return fail(std::move(summary.error()));
  if (!keep) return {};
  const double all = to_ms(summary->startup + summary->transferring + summary->processing) / 100;
  way.total.add(to_ms(summary->total));
  way.startup.add(to_ms(summary->startup) / all);
  way.transfer.add(to_ms(summary->transferring) / all);
  way.processing.add(to_ms(summary->processing) / all);
  add_hand_overs(*spec, *summary, way);
  return {};
}

void report(const Workload& workload, const Way& ours, const Way& usual, double at_least,
            Results& results) {
  Comparison line;
  line.what = std::string(workload.name) + ", until the last chunk is done";
  line.left_name = ours.name;
  line.left = ours.total;
  line.right_name = usual.name;
  line.right = usual.total;
  line.at_least = at_least;
  results.add(line);
  for (const Way* way : {&ours, &usual}) {
    const std::string what = std::string(workload.name) + ", table 3.5, " + way->name + ": ";
    results.add(what + "start-up", way->startup, "%");
    results.add(what + "data transfer", way->transfer, "%");
    results.add(what + "data processing", way->processing, "%");
  }
}

/// Figure 3.5, one picture a way.
Result<void> draw(const Options& options, const Workload& workload, const Way& way) {
  if (options.out.empty()) return {};
  std::string name = std::string("pipeline-") + workload.name + "-" + way.name + ".svg";
  std::replace(name.begin(), name.end(), ' ', '-');
  std::ofstream file(options.out + "/" + name);
  file << fleet::draw_timeline(way.events);
  if (!file.flush()) return fail(Error::of(Errc::io, "write " + options.out + "/" + name));
  return {};
}

Way way_of(const char* name, sprocket::StartJob start) {
  Way way;
  way.name = name;
  way.start = std::move(start);
  return way;
}

/// One after the other, so that what changes on the machine meets both.
Result<void> take_turns(const Workload& workload, std::size_t repeats, Way& one, Way& other) {
  for (std::size_t round = 0; round <= repeats; ++round) {  // the first warms up
    for (Way* way : {&one, &other}) {
      if (auto done = run_once(workload, *way, round > 0); !done) return done;
    }
  }
  return {};
}

Result<void> compare(const Options& options, Bed& bed, const Workload& workload,
                     std::size_t repeats, double at_least, Results& results) {
  Way ours = way_of("pool", bed.in_pools());
  Way usual = way_of("Linux overlay", bed.one_by_one());
  if (auto done = take_turns(workload, repeats, ours, usual); !done) return done;
  report(workload, ours, usual, at_least, results);
  for (const Way* way : {&ours, &usual}) {
    if (auto done = draw(options, workload, *way); !done) return done;
  }
  return {};
}

/// Straight from worker to worker, against files in a store that all nodes see.
Result<void> compare_transfers(const Bed& bed, const Workload& workload, std::size_t repeats,
                               Results& results) {
  Way direct = way_of("direct", bed.in_pools());
  Way store = way_of("store", bed.in_pools());
  store.transfer_by = sprocket::Transfer::store;
  if (auto done = take_turns(workload, repeats, direct, store); !done) return done;
  const auto add = [&](const char* what, const Series Way::* series) {
    Comparison line;
    line.what = std::string(workload.name) + ", transfer: " + what;
    line.left_name = direct.name;
    line.left = direct.*series;
    line.right_name = store.name;
    line.right = store.*series;
    line.right_over_left = true;
    results.add(line);
  };
  add("one chunk from a stage to the next", &Way::hand_over);
  add("all chunks and stages", &Way::hand_overs);
  add("until the last chunk is done", &Way::total);
  return {};
}

/// The same containers on Docker Swarm's overlay, of one Swarm node: nothing has to leave it.
Result<void> compare_with_swarm(const Options& options, Bed& bed, const std::string& directory,
                                Results& results) {
  if (const auto missing = missing_for(EngineKind::docker, Network::overlay); !missing.empty()) {
    results.note("SKIP: component docker.io: " + missing);
    return {};
  }
  auto swarm = Swarm::start({bed.first_node(), directory + "/docker", directory});
  if (!swarm) return fail(std::move(swarm.error()));
  results.note(
      "Docker Swarm has one node, which favours it: its containers reach each other without a "
      "tunnel.");
  const std::size_t chunks = options.quick ? 4 : kSwarmChunks;
  const std::string name = "null stages, " + std::to_string(chunks) + " chunks";
  const Workload null{name.c_str(), kNullSpec, "null:" + std::to_string(chunks), 0};
  Way ours = way_of("pool", bed.in_pools());
  Way docker = way_of("Docker Swarm", swarm->containers());
  if (auto done = take_turns(null, options.quick ? 1 : 3, ours, docker); !done) return done;
  report(null, ours, docker, kFasterThanSwarm, results);
  return {};
}

Result<void> make_clip(const std::string& path, std::size_t seconds) {
  auto here = NetNs::current();
  if (!here) return fail(std::move(here.error()));
  auto ffmpeg = start_in(*here, {"/usr/bin/ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                                 "testsrc2=size=64x36:rate=25:duration=" + std::to_string(seconds),
                                 "-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", path});
  if (!ffmpeg) return fail(std::move(ffmpeg.error()));
  return wait_for(*ffmpeg, "ffmpeg");
}

Result<void> work(const Options& options, Results& results) {
  // Where `ip netns` keeps its pins; gone with this process.
  if (auto done = baselines::enter_private_mounts(); !done) return done;
  std::string directory = "/dev/shm/particle-bench-pipeline.XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr)
    return fail(Error::from_errno(errno, "make " + directory));
  const auto measured = [&]() -> Result<void> {
    auto bed = Bed::make(directory);
    if (!bed) return fail(std::move(bed.error()));
    results.note(
        "Three nodes are namespaces of one machine. The Linux overlay's workers are plain "
        "processes, without a container's other namespaces, which favours it.");
    const std::size_t chunks = options.quick ? 10 : kChunks;
    const std::string store = directory + "/store";
    std::error_code failed;
    if (!fs::create_directory(store, failed)) {
      return fail(Error::from_errno(failed.value(), "make " + store));
    }
    results.note(
        "The store is a directory in memory, which only workers of one machine can share: what it "
        "takes is the "
        "hand-over alone, no disk and no network.");
    const Workload null{"null stages", kNullSpec, "null:" + std::to_string(chunks), 0, store};
    auto done = compare(options, **bed, null, options.repeats(5), kFasterThanOverlay, results);
    if (!done) return done;
    done = compare_transfers(**bed, null, options.repeats(5), results);
    if (!done) return done;
    done = compare_with_swarm(options, **bed, directory, results);
    if (!done) return done;
    const std::string clip = directory + "/clip.mp4";
    if (auto made = make_clip(clip, chunks); !made) return made;
    const Workload gray{"grayscale 64x36", kGraySpec, clip, 0, store};
    done = compare(options, **bed, gray, options.quick ? 1 : 3, 1.0, results);
    if (!done) return done;
    return compare_transfers(**bed, gray, options.quick ? 1 : 3, results);
  };
  auto done = measured();
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  return done;
}

}  // namespace
}  // namespace particle::bench

int main(int argc, char** argv) {
  return particle::bench::run_program(argc, argv, "bench-pipeline",
                                      "A video pipeline in pools, with a namespace and a veth for "
                                      "each container, and on Docker Swarm.",
                                      particle::bench::work);
}
