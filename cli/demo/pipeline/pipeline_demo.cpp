// SPDX-License-Identifier: Apache-2.0
#include "demo/pipeline/pipeline_demo.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "demo/lodging.hpp"
#include "demo/overlay/process.hpp"
#include "harness/fleet.hpp"

namespace particle::cli::demo {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using bench::Fleet;
using bench::FleetNode;

constexpr const char* kPool = "video";
constexpr std::uint32_t kPipelineVni = 1003;
constexpr std::uint64_t kEndpoints = 100;
constexpr const char* kAgentPort = ":4790";
constexpr std::chrono::seconds kAgentPatience{30};
/// For a clip of the longest length, on a busy machine.
constexpr std::chrono::minutes kPipelinePatience{5};

struct Programs {
  std::string fleet, ffmpeg, ffprobe;
};

Result<Programs> find_programs() {
  Programs programs;
  std::error_code error;
  const auto self = fs::read_symlink("/proc/self/exe", error);
  programs.fleet = self.parent_path() / "particle-fleet";
  if (error || !fs::exists(programs.fleet, error)) {
    auto found = find_program("particle-fleet", {"usr/bin"}, "particle");
    if (!found) return fail(std::move(found.error()));
    programs.fleet = *std::move(found);
  }
  for (const auto& [name, path] :
       {std::pair{"ffmpeg", &programs.ffmpeg}, std::pair{"ffprobe", &programs.ffprobe}}) {
    auto found = find_program(name, {"usr/bin"}, "ffmpeg");
    if (!found) return fail(std::move(found.error()));
    *path = *std::move(found);
  }
  return programs;
}

std::string read_log(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What a program of ours said of its failure with --json, with every detail; else its last words.
std::string why(const std::string& text, const std::string& last_words) {
  // Warnings may come before it.
  const std::size_t begin = text.find("{\n");
  const Json said =
      Json::parse(begin == std::string::npos ? text : text.substr(begin), nullptr, false);
  if (!said.is_object() || !said.contains("error")) return last_words;
  std::string all = said["error"].value("message", last_words);
  for (const Json& detail : said["error"].value("details", Json::array())) {
    if (detail.is_string()) all += "; " + detail.get<std::string>();
  }
  return all;
}

/// The scene: two nodes, and where its files are.
struct PipelineScene {
  const Programs& programs;
  const Fleet& fleet;
  std::string directory;
  const Watch& watch;

  [[nodiscard]] std::string file(const std::string& name) const { return directory + "/" + name; }
  [[nodiscard]] std::vector<std::string> verb(const std::string& name) const {
    return {programs.fleet, "--run-dir", file("pools"), name};
  }

  /// Runs a command on node n1 until it ends. Returns what it wrote.
  Result<std::string> run(const std::string& what, const std::vector<std::string>& argv,
                          std::chrono::nanoseconds patience) const {
    const std::string log = file(what + ".log");
    auto process = Process::start(argv, fleet.nodes.front().netns, log);
    if (!process) return fail(std::move(process.error()));
    const auto deadline = Clock::now() + patience;
    while (process->runs()) {
      if (auto ok = watch.check(); !ok) return fail(std::move(ok.error()));
      if (Clock::now() > deadline) return fail(Error::of(Errc::io, what + " takes too long"));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::string text = read_log(log);
    if (process->exit_status() != 0)
      return fail(Error::of(Errc::io, what + " failed: " + why(text, process->last_words())));
    std::error_code ignored;
    fs::remove(log, ignored);
    return text;
  }

  /// The same for a command that prints one JSON document.
  Result<Json> ask(const std::string& what, std::vector<std::string> argv,
                   std::chrono::nanoseconds patience) const {
    argv.emplace_back("--json");
    auto text = run(what, argv, patience);
    if (!text) return fail(std::move(text.error()));
    Json document = Json::parse(*text, nullptr, false);
    if (document.is_discarded()) return fail(Error::of(Errc::io, what + " printed: " + *text));
    return document;
  }
};

Result<void> make_pools(const Fleet& fleet) {
  std::vector<Peer> peers;
  for (std::size_t i = 0; i < fleet.nodes.size(); ++i) {
    PoolSpec spec;
    spec.name = spec.tenant = kPool;
    spec.vni = *Vni::from(kPipelineVni);
    spec.blocks = {{*IpPrefix::parse("10.3." + std::to_string(i) + ".0/24"), std::nullopt}};
    spec.count = kEndpoints;
    spec.underlay.address = fleet.nodes[i].underlay;
    auto made = fleet.nodes[i].node.create_pool(spec);
    if (!made) return fail(std::move(made.error()));
    const PoolInfo& pool = made->pool;
    peers.push_back({pool.tenant, pool.vtep, pool.mac, pool.routes, {}});
  }
  for (std::size_t i = 0; i < fleet.nodes.size(); ++i) {
    for (std::size_t j = 0; j < peers.size(); ++j) {
      if (i == j) continue;
      auto done = fleet.nodes[i].node.add_peer(peers[j]);
      if (!done) return fail(std::move(done.error()));
    }
  }
  return {};
}

/// What the demo's agents know each other by.
Result<std::string> make_secret(const PipelineScene& scene) {
  std::array<char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return fail(Error::from_errno(errno, "getrandom"));
  }
  std::string path = scene.file("fleet.secret");
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid() ||
      ::write(file.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return fail(Error::from_errno(errno, "write " + path));
  }
  return path;
}

Result<std::vector<Process>> start_agents(const PipelineScene& scene) {
  std::vector<Process> agents;
  const auto secret = make_secret(scene);
  if (!secret) return fail(secret.error());
  for (const FleetNode& node : scene.fleet.nodes) {
    std::vector<std::string> argv = scene.verb("fleet-agent");
    argv.insert(argv.end(), {"--name", node.name, "--listen",
                             node.underlay.to_string() + kAgentPort, "--secret-file", *secret});
    for (const FleetNode& other : scene.fleet.nodes) {
      if (&other == &node) continue;
      argv.insert(argv.end(),
                  {"--peer", other.name + "=" + other.underlay.to_string() + kAgentPort});
    }
    auto agent = Process::start(argv, node.netns, scene.file(node.name + ".log"));
    if (!agent) return fail(std::move(agent.error()));
    agents.push_back(*std::move(agent));
  }
  return agents;
}

/// Until the first node's agent answers, and the others answer it.
Result<void> wait_for_agents(const PipelineScene& scene, std::vector<Process>& agents) {
  const auto deadline = Clock::now() + kAgentPatience;
  for (;;) {
    for (Process& agent : agents) {
      if (!agent.runs()) return fail(Error::of(Errc::io, "an agent ended: " + agent.last_words()));
    }
    std::vector<std::string> argv = scene.verb("fleet-nodes");
    argv.insert(argv.end(), {"--pool", kPool});
    const auto status = scene.ask("fleet nodes", argv, kAgentPatience);
    std::size_t alive = 0;
    if (status && status->is_array()) {
      for (const Json& node : *status) alive += node.value("alive", false) ? 1U : 0U;
    }
    if (alive == agents.size()) return {};
    if (auto ok = scene.watch.check(); !ok) return ok;
    if (Clock::now() > deadline) {
      return fail(status ? Error::of(Errc::io, "the agents do not find each other")
                         : Error(status.error()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<void> make_clip(const PipelineScene& scene, std::uint64_t seconds) {
  auto made =
      scene.run("ffmpeg",
                {scene.programs.ffmpeg, "-v", "error", "-f", "lavfi", "-i",
                 "testsrc2=size=320x180:rate=25:duration=" + std::to_string(seconds), "-c:v",
                 "libx264", "-g", "25", "-pix_fmt", "yuv420p", scene.file("clip.mp4")},
                kPipelinePatience);
  if (!made) return fail(std::move(made.error()));
  return {};
}

Result<std::uint64_t> count_frames(const PipelineScene& scene, const std::string& name) {
  auto text =
      scene.run("ffprobe",
                {scene.programs.ffprobe, "-v", "error", "-count_frames", "-select_streams", "v:0",
                 "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", scene.file(name)},
                kPipelinePatience);
  if (!text) return fail(std::move(text.error()));
  return std::strtoull(text->c_str(), nullptr, 10);
}

/// Decoding on one node, the filter on the other: every frame crosses the overlay.
Result<Json> run_grayscale(const PipelineScene& scene) {
  std::vector<std::string> argv = scene.verb("fleet-pipeline");
  argv.insert(argv.end(),
              {"run", "grayscale", "--pool", kPool, "--input", "0=" + scene.file("clip.mp4"),
               "--output", "0=" + scene.file("gray.mp4")});
  for (const FleetNode& node : scene.fleet.nodes) argv.insert(argv.end(), {"--node", node.name});
  return scene.ask("fleet pipeline", argv, kPipelinePatience);
}

void read_summary(const Json& summary, PipelineFacts& facts) {
  facts.pipeline_ms = summary.value("total_ms", 0.0);
  facts.first_output_ms = summary.value("first_output_ms", 0.0);
  for (const Json& stage : summary.value("stages", Json::array())) {
    facts.stages.push_back({stage.value("stage", ""), stage.value("tasks", std::uint64_t{0}),
                            stage.value("startup_ms", 0.0), stage.value("transfer_ms", 0.0),
                            stage.value("processing_ms", 0.0)});
  }
}

Result<void> show(const PipelineScene& scene, PipelineFacts& facts) {
  constexpr std::uint64_t kActs = 4;
  scene.watch.tell("making a clip", 0, kActs);
  if (auto done = make_clip(scene, facts.options.seconds); !done) return done;
  scene.watch.tell("making pools, starting agents", 1, kActs);
  const auto begin = Clock::now();
  if (auto done = make_pools(scene.fleet); !done) return done;
  facts.pools_ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  auto agents = start_agents(scene);
  if (!agents) return fail(std::move(agents.error()));
  if (auto done = wait_for_agents(scene, *agents); !done) return done;
  scene.watch.tell("running the pipeline", 2, kActs);
  auto summary = run_grayscale(scene);
  if (!summary) return fail(std::move(summary.error()));
  read_summary(*summary, facts);
  scene.watch.tell("counting frames", 3, kActs);
  for (const auto& [name, count] :
       {std::pair{"clip.mp4", &facts.frames_in}, std::pair{"gray.mp4", &facts.frames_out}}) {
    auto counted = count_frames(scene, name);
    if (!counted) return fail(std::move(counted.error()));
    *count = *counted;
  }
  return {};
}

}  // namespace

Result<PipelineFacts> run_pipeline(const PipelineOptions& options, const Watch& watch) {
  const auto start = Clock::now();
  PipelineFacts facts;
  facts.options = options;
  const auto programs = find_programs();
  if (!programs) return fail(programs.error());
  auto lodging = Lodging::enter(false);
  if (!lodging) return fail(std::move(lodging.error()));
  auto fleet = bench::make_fleet(kNodes, lodging->run_dir() + "/pools");
  if (!fleet) return fail(std::move(fleet.error()));
  auto shown = show({*programs, *fleet, lodging->run_dir(), watch}, facts);
  for (const FleetNode& node : fleet->nodes) (void)node.node.delete_pool(kPool, true);
  if (!shown) return fail(std::move(shown.error()));
  facts.total = Clock::now() - start;
  return facts;
}

}  // namespace particle::cli::demo
