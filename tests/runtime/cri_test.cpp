// SPDX-License-Identifier: Apache-2.0
/// particle-runc under containerd's CRI, as the kubelet drives it.
#include <filesystem>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"
#include "runtime/engine.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

/// Debian's own, which finds Debian's python3-grpcio, whatever comes first in PATH.
constexpr const char* kPython = "/usr/bin/python3";

std::string cni_program() {
  return std::string(PARTICLE_TEST_BIN_DIR) + "/particle-cni";
}

bool need_cri() {
  if (!need_components({"containerd", "ctr", "runc", "tini-static", "busybox"})) return false;
  if (run_command({kPython, "-c", "import grpc"}).exit_code == 0) return true;
  skip_component("python3-grpcio", "/usr/bin/python3 cannot import grpc");
  return false;
}

/// The reference bridge with directories of its own: CRI insists on some network.
std::string stock_network(const std::string& directory) {
  return R"({"cniVersion":"1.0.0","name":"stock","plugins":[
    {"type":"bridge","bridge":"stock0","isGateway":false,"ipMasq":false,
     "ipam":{"type":"host-local","dataDir":")" +
         directory + R"(/ipam","ranges":[[{"subnet":"172.31.0.0/24"}]]}}]})";
}

std::string cri_settings(const std::string& directory, const std::string& network) {
  namespace fs = std::filesystem;
  fs::create_directories(directory + "/net.d");
  write_text(directory + "/net.d/10-test.conflist", network);
  // The stock plugins, and ours where it is built.
  fs::create_directories(directory + "/cni");
  for (const auto& plugin : fs::directory_iterator(components_directory() + "/root/usr/lib/cni")) {
    fs::create_symlink(plugin.path(), directory + "/cni/" + plugin.path().filename().string());
  }
  fs::create_symlink(cni_program(), directory + "/cni/particle-cni");
  const std::string plugin = "[plugins.\"io.containerd.grpc.v1.cri\"";
  return plugin + "]\n  restrict_oom_score_adj = true\n  sandbox_image = \"" + kImage + "\"\n" +
         plugin + ".cni]\n  conf_dir = \"" + directory + "/net.d\"\n  bin_dir = \"" + directory +
         "/cni\"\n" + plugin +
         ".containerd.runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n"
         "  pod_annotations = [\"io.particle.*\"]\n" +
         plugin + ".containerd.runtimes.runc.options]\n  BinaryName = \"" + wrapper_program() +
         "\"\n";
}

/// A containerd whose CRI is driven through its socket.
class Cri {
 public:
  Cri(const NetNs& node, const std::string& directory, const std::string& run_dir,
      const std::string& network)
      : engine_(node, directory, run_dir, cri_settings(directory, network)) {
    const CommandResult imported =
        engine_.box().run({"ctr", "--address", engine_.socket(), "--namespace", "k8s.io", "images",
                           "import", make_image(directory)});
    if (imported.exit_code != 0) throw std::runtime_error(imported.err);
  }

  [[nodiscard]] CommandResult call(const std::vector<std::string>& words) const {
    std::vector<std::string> all{kPython, std::string(PARTICLE_TEST_SOURCE_DIR) + "/runtime/cri.py",
                                 engine_.socket()};
    all.insert(all.end(), words.begin(), words.end());
    CommandResult result = run_command(all);
    if (!result.out.empty() && result.out.back() == '\n') result.out.pop_back();
    return result;
  }
  /// The pod's id.
  [[nodiscard]] std::string run_pod(const std::string& name, const std::string& pool) const {
    std::vector<std::string> words{"run-pod", name, "/" + engine_.box().name()};
    if (!pool.empty()) words.push_back("io.particle.pool=" + pool);
    return must_call(words);
  }
  /// The id of a container in a pod.
  [[nodiscard]] std::string run(const std::string& name, const std::string& pod,
                                const std::vector<std::string>& command) const {
    std::vector<std::string> words{"run", name, pod, kImage};
    words.insert(words.end(), command.begin(), command.end());
    return must_call(words);
  }
  [[nodiscard]] std::string exec(const std::string& id,
                                 const std::vector<std::string>& command) const {
    std::vector<std::string> words{"exec", id};
    words.insert(words.end(), command.begin(), command.end());
    return call(words).out;
  }
  void remove_pod(const std::string& pod) const {
    static_cast<void>(must_call({"stop-pod", pod}));
    static_cast<void>(must_call({"remove-pod", pod}));
  }
  /// SIGKILL for containerd, while the pods run; returns when its successor answers.
  void restart() const {
    engine_.box().kill_daemon();
    const auto answers = [&] { return call({"version"}).exit_code == 0; };
    if (!eventually(answers)) throw std::runtime_error("containerd does not come back");
  }

 private:
  [[nodiscard]] std::string must_call(const std::vector<std::string>& words) const {
    const CommandResult result = call(words);
    if (result.exit_code != 0) throw std::runtime_error(words.front() + ": " + result.err);
    return result.out;
  }
  Containerd engine_;
};

/// A network whose first pod makes a pool for tenant acme.
std::string acme_network(const Scene& scene) {
  return R"({"cniVersion":"1.0.0","name":"acme","plugins":[{"type":"particle-cni",
             "tenant":"acme","vni":42,"prefix":"10.1.0.0/28","runDir":")" +
         scene.dir.path() + R"("}]})";
}

TEST_CASE("CRI: a pod of a pool has one endpoint, which all of its containers share and know") {
  if (!need_cri()) return;
  Scene scene;
  must(scene.a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/28"})));
  must(scene.a.create_pool(pool_spec("blue", "blue", 43, {"10.2.0.0/28"})));
  {
    const Cri cri(scene.nodes.a, scene.dir.file("cri"), scene.dir.path(),
                  stock_network(scene.dir.file("cri")));
    const std::string first = cri.run_pod("first", "acme");
    const std::string second = cri.run_pod("second", "acme");
    const std::string other = cri.run_pod("other", "blue");
    const std::string plain = cri.run_pod("plain", "");
    const auto leases = must(scene.a.leases("acme"));
    REQUIRE(leases.size() == 2);

    const std::string server = cri.run("server", first, greeter("server"));
    const std::string sidecar = cri.run("sidecar", first, kSleeper);
    const std::string client = cri.run("client", second, kSleeper);
    const std::string stranger = cri.run("stranger", other, kSleeper);
    const std::string outsider = cri.run("outsider", plain, kSleeper);
    // Only sandboxes lease.
    CHECK(must(scene.a.leases("acme")).size() == 2);

    const std::vector<std::string> variables{"env"};
    CHECK(cri.exec(server, variables).find("PARTICLE_IP=10.1.0.1") != std::string::npos);
    CHECK(cri.exec(sidecar, variables).find("PARTICLE_IP=10.1.0.1") != std::string::npos);
    CHECK(cri.exec(client, variables).find("PARTICLE_IP=10.1.0.2") != std::string::npos);
    CHECK(cri.exec(outsider, variables).find("PARTICLE") == std::string::npos);
    const std::vector<std::string> namespace_of{"readlink", "/proc/1/ns/net"};
    CHECK(cri.exec(server, namespace_of) == cri.exec(client, namespace_of));
    CHECK(cri.exec(server, namespace_of) != cri.exec(stranger, namespace_of));
    CHECK(cri.exec(server, namespace_of) != cri.exec(outsider, namespace_of));
    CHECK(eventually([&] { return cri.exec(client, greeting_at("10.1.0.1")) == "server"; }));
    CHECK(cri.exec(sidecar, greeting_at("10.1.0.1")) == "server");
    CHECK(cri.exec(stranger, greeting_at("10.1.0.1")).empty());

    cri.remove_pod(first);
    CHECK(must(scene.a.leases("acme")).size() == 1);
    // The stock plugins work on the pod's own namespace, never on the pool's.
    CHECK(must(scene.a.inspect_pool("acme")).problems.empty());
    for (const std::string& pod : {second, other, plain}) cri.remove_pod(pod);
    CHECK(must(scene.a.leases()).empty());
    CHECK_FALSE(std::filesystem::exists(scene.dir.file("runtime")));
  }
  must(scene.a.delete_pool("acme"));
  must(scene.a.delete_pool("blue"));
}

TEST_CASE("CRI: what particle-cni leased for a pod, particle-runc puts the pod into") {
  if (!need_cri()) return;
  if (!std::filesystem::exists(cni_program())) return skip("this build has no particle-cni");
  Scene scene;
  {
    const Cri cri(scene.nodes.a, scene.dir.file("cri"), scene.dir.path(), acme_network(scene));
    const std::string first = cri.run_pod("first", "");
    const std::string second = cri.run_pod("second", "");
    const auto leases = must(scene.a.leases());
    REQUIRE(leases.size() == 2);
    const std::string server = cri.run("server", first, greeter("server"));
    const std::string client = cri.run("client", second, kSleeper);
    const std::string variables = cri.exec(client, {"env"});
    CHECK(variables.find("PARTICLE_POOL=" + leases.front().pool) != std::string::npos);
    CHECK(variables.find("PARTICLE_IP=10.1.0.2") != std::string::npos);
    const std::vector<std::string> namespace_of{"readlink", "/proc/1/ns/net"};
    CHECK(cri.exec(server, namespace_of) == cri.exec(client, namespace_of));
    CHECK(eventually([&] { return cri.exec(client, greeting_at("10.1.0.1")) == "server"; }));
    cri.remove_pod(first);
    cri.remove_pod(second);
    CHECK(must(scene.a.leases()).empty());
    CHECK_FALSE(std::filesystem::exists(scene.dir.file("runtime")));
  }
  for (const PoolInfo& pool : must(scene.a.list_pools())) must(scene.a.delete_pool(pool.name));
}

TEST_CASE(
    "CRI: containerd is killed between ADD and DEL, and the pods live on and go without a trace") {
  if (!need_cri()) return;
  if (!std::filesystem::exists(cni_program())) return skip("this build has no particle-cni");
  Scene scene;
  {
    const Cri cri(scene.nodes.a, scene.dir.file("cri"), scene.dir.path(), acme_network(scene));
    const std::string first = cri.run_pod("first", "");
    const std::string second = cri.run_pod("second", "");
    const std::string server = cri.run("server", first, greeter("server"));
    const std::string client = cri.run("client", second, kSleeper);
    const auto greeted = [&] { return cri.exec(client, greeting_at("10.1.0.1")) == "server"; };
    REQUIRE(eventually(greeted));

    cri.restart();
    CHECK(must(scene.a.leases()).size() == 2);
    CHECK(eventually(greeted));
    // Its successor goes on giving out addresses that nobody has.
    const std::string third = cri.run_pod("third", "");
    CHECK(must(scene.a.leases()).size() == 3);
    cri.remove_pod(first);
    CHECK(must(scene.a.leases()).size() == 2);

    cri.restart();
    cri.remove_pod(second);
    cri.remove_pod(third);
    CHECK(must(scene.a.leases()).empty());
    CHECK_FALSE(std::filesystem::exists(scene.dir.file("runtime")));
    CHECK_FALSE(std::filesystem::exists(scene.dir.file("cni")));
  }
  // The last DEL took the pool, which the first ADD had made.
  CHECK(must(scene.a.list_pools()).empty());
}

}  // namespace
}  // namespace particle::test
