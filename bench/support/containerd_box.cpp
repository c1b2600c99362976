// SPDX-License-Identifier: Apache-2.0
#include "support/containerd_box.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "support/processes.hpp"

namespace particle::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* kImage = "particle.bench/box:latest";

/// $1 is the run directory, $2 the components' root: an image of busybox, as `docker save` writes it.
constexpr const char* kMakeImage = R"(set -e
mkdir -p "$1/image/rootfs/bin"; cd "$1/image"
cp "$2/bin/busybox" rootfs/bin/; ln -s busybox rootfs/bin/sleep
tar -C rootfs -cf layer.tar .
digest=$(sha256sum layer.tar | cut -d' ' -f1)
printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$digest" >config.json
printf '[{"Config":"config.json","RepoTags":["particle.bench/box:latest"],"Layers":["layer.tar"]}]' >manifest.json
tar -cf ../image.tar manifest.json config.json layer.tar
)";

/// $1 and $2 as above. ctr looks for plugins in /opt/cni/bin and for networks in /etc/cni/net.d, and
/// cannot be told otherwise; those of this box are its own.
constexpr const char* kEnter = R"(set -e
mount -t tmpfs tmpfs /run
mkdir /run/etc /run/etc-work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc-work overlay /etc
mount -t tmpfs tmpfs /opt
mkdir -p /etc/cni/net.d /opt/cni/bin
cp "$2"/usr/lib/cni/* /opt/cni/bin/
printf '{"cniVersion":"0.4.0","name":"bench","plugins":[{"type":"bridge","bridge":"bench-br0","isGateway":false,"ipMasq":false,"ipam":{"type":"host-local","dataDir":"/run/ipam","ranges":[[{"subnet":"10.99.0.0/16"}]]}}]}' >/etc/cni/net.d/10-bench.conflist
printf 'version = 2\nroot = "%s/root"\nstate = "%s/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "%s/containerd.sock"\n' "$1" "$1" "$1" >"$1/config.toml"
exec tini-static -- containerd --config "$1/config.toml" >"$1/log" 2>&1
)";

pid_t only_child(pid_t parent) {
  const std::string pid = std::to_string(parent);
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  pid_t child = -1;
  children >> child;
  return child;
}

void remove_control_groups(const std::string& name) {
  std::error_code none;
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup", none)) {
    for (const auto& left : fs::directory_iterator(hierarchy.path() / name, none)) {
      ::rmdir(left.path().c_str());
    }
    ::rmdir((hierarchy.path() / name).c_str());
  }
}

}  // namespace

Result<std::string> ContainerdBox::find_components() {
  std::error_code failed;
  const auto self = fs::read_symlink("/proc/self/exe", failed);
  const char* chosen = std::getenv("PARTICLE_COMPONENTS");
  fs::path directory = self.parent_path().parent_path().parent_path() / "components";
  if (chosen != nullptr) directory = chosen;
  const fs::path root = directory / "root";
  for (const char* program : {"usr/bin/containerd", "usr/sbin/runc", "bin/busybox"}) {
    if (fs::exists(root / program, failed)) continue;
    return fail(Error::of(Errc::not_found, "component " + (root / program).string(),
                          "packaging/components.sh unpacks it"));
  }
  return root.string();
}

ContainerdBox::ContainerdBox(const Testbed& bed, std::string components)
    : bed_(bed),
      components_(std::move(components)),
      group_("particle-bench-" + std::to_string(::getpid())) {}

ContainerdBox::ContainerdBox(ContainerdBox&& other) noexcept
    : bed_(other.bed_),
      components_(std::move(other.components_)),
      group_(std::move(other.group_)),
      ids_(std::move(other.ids_)),
      made_(other.made_),
      launcher_(std::exchange(other.launcher_, -1)),
      first_(std::exchange(other.first_, -1)) {}

ContainerdBox::~ContainerdBox() {
  if (launcher_ < 0) return;
  if (first_ > 0) ::kill(first_, SIGKILL);
  ::kill(launcher_, SIGKILL);
  while (::waitpid(launcher_, nullptr, 0) < 0 && errno == EINTR) {
  }
  while (first_ > 0 && ::kill(first_, 0) == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  remove_control_groups(group_);
}

Result<void> ContainerdBox::make_image() const {
  const auto pid =
      start_in(bed_.netns(), {"/bin/sh", "-c", kMakeImage, "sh", bed_.run_dir(), components_});
  if (!pid) return fail(pid.error());
  return wait_for(*pid, "making an image");
}

Result<void> ContainerdBox::enter() {
  const std::string path =
      "PATH=" + components_ + "/usr/bin:" + components_ + "/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin";
  const auto pid = start_in(
      bed_.netns(), {"/usr/bin/env", path, "PARTICLE_RUN_DIR=" + bed_.run_dir(),
                     "PARTICLE_RUNC=" + components_ + "/usr/sbin/runc", "unshare", "--mount",
                     "--propagation=slave", "--pid", "--fork", "--kill-child=SIGKILL",
                     "--mount-proc", "sh", "-c", kEnter, "sh", bed_.run_dir(), components_});
  if (!pid) return fail(pid.error());
  launcher_ = *pid;
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    first_ = only_child(launcher_);
    if (first_ <= 0 || !fs::exists(bed_.run_dir() + "/containerd.sock")) continue;
    if (run_all({ctr({"version"})}, 1)) return {};
  }
  return fail(
      Error::of(Errc::busy, "containerd does not answer", "see " + bed_.run_dir() + "/log"));
}

Result<ContainerdBox> ContainerdBox::start(const Testbed& bed, const std::string& components) {
  ContainerdBox box(bed, components);
  if (auto done = box.make_image(); !done) return fail(std::move(done.error()));
  if (auto done = box.enter(); !done) return fail(std::move(done.error()));
  if (auto done = box.run_all({box.ctr({"images", "import", bed.run_dir() + "/image.tar"})}, 1);
      !done) {
    return fail(std::move(done.error()));
  }
  return box;
}

ContainerdBox::Words ContainerdBox::ctr(const Words& words) const {
  Words all{"/usr/bin/nsenter",
            "--target",
            std::to_string(first_),
            "--mount",
            "--pid",
            components_ + "/usr/bin/ctr",
            "--address",
            bed_.run_dir() + "/containerd.sock",
            "--namespace",
            group_};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

ContainerdBox::Words ContainerdBox::run_words(Network network, const std::string& pool,
                                              const std::string& id) const {
  std::error_code failed;
  const auto self = fs::read_symlink("/proc/self/exe", failed);
  Words words{"run", "--detach", "--null-io", "--runc-binary"};
  words.push_back(network == Network::pool ? (self.parent_path() / "particle-runc").string()
                                           : components_ + "/usr/sbin/runc");
  if (network == Network::pool) {
    words.insert(words.end(), {"--annotation", "io.particle.pool=" + pool});
  }
  if (network == Network::bridge) words.emplace_back("--cni");
  words.insert(words.end(), {kImage, id, "sleep", "1000"});
  return ctr(words);
}

Result<void> ContainerdBox::run_all(const std::vector<Words>& commands, unsigned at_a_time) const {
  std::deque<pid_t> running;
  Result<void> verdict;
  const auto wait_for_oldest = [&] {
    auto done = wait_for(running.front(), "ctr");
    running.pop_front();
    if (verdict && !done) verdict = std::move(done);
  };
  for (const Words& command : commands) {
    if (running.size() >= at_a_time) wait_for_oldest();
    auto pid = start_in(bed_.netns(), command);
    if (pid) running.push_back(*pid);
    if (verdict && !pid) verdict = fail(std::move(pid.error()));
  }
  while (!running.empty()) wait_for_oldest();
  return verdict;
}

Result<double> ContainerdBox::burst(Network network, const std::string& pool, unsigned count,
                                    unsigned at_a_time) {
  std::vector<Words> commands;
  ids_.clear();
  for (unsigned i = 0; i < count; ++i) {
    ids_.push_back("c" + std::to_string(made_++));
    commands.push_back(run_words(network, pool, ids_.back()));
  }
  const auto start = Clock::now();
  if (auto done = run_all(commands, at_a_time); !done) return fail(std::move(done.error()));
  return to_ms(Clock::now() - start);
}

Result<void> ContainerdBox::clear(unsigned at_a_time) {
  for (const Words& words : {Words{"tasks", "rm", "--force"}, Words{"containers", "rm"}}) {
    std::vector<Words> commands;
    for (const std::string& id : ids_) {
      // ctr warns that what it kills does not end with 0.
      Words quiet{"/bin/sh", "-c", R"(exec "$@" 2>/dev/null)", "sh"};
      Words one = words;
      one.push_back(id);
      for (const std::string& word : ctr(one)) quiet.push_back(word);
      commands.push_back(std::move(quiet));
    }
    if (auto done = run_all(commands, at_a_time); !done) return done;
  }
  ids_.clear();
  return {};
}

}  // namespace particle::bench
