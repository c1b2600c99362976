// SPDX-License-Identifier: Apache-2.0
// particle-cni under libcni, the library that container runtimes call plugins with.
#include <filesystem>
#include <fstream>

#include "plugin_driver.hpp"
#include "support/skip.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDriver = PARTICLE_TEST_BIN_DIR "/libcni-driver";

/// Empty, and the test skipped, where there is no driver or there are no reference plugins.
std::string plugin_path() {
  const std::string reference = reference_plugins();
  if (reference.empty()) return {};
  if (fs::exists(kDriver)) return fs::path(cni_program()).parent_path().string() + ":" + reference;
  skip_component("golang-github-appc-cni-dev", "libcni-driver was not built: no Go, or no libcni");
  return {};
}

/// The runtime's side of the plugin: one network, called through libcni.
class Libcni {
 public:
  Libcni(CniScene& scene, std::string path, const Json& plugins)
      : scene_(scene), path_(std::move(path)), list_(scene.file("list.conflist")) {
    const Json list{{"cniVersion", "1.0.0"}, {"name", "web"}, {"plugins", plugins}};
    std::ofstream(list_) << list.dump();
  }

  CommandResult call(const std::vector<std::string>& words, const std::string& valid = {}) {
    std::vector<std::string> all{"env",
                                 "-i",
                                 "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                 "CNI_PATH=" + path_,
                                 "CNI_CACHE=" + scene_.file("libcni-cache"),
                                 "VALID_ATTACHMENTS=" + valid,
                                 kDriver,
                                 words.front(),
                                 list_};
    all.insert(all.end(), words.begin() + 1, words.end());
    return run_command(all, &scene_.node_netns());
  }
  CommandResult call(const std::string& verb, const std::string& container,
                     const Json& capabilities = Json::object()) {
    return call({verb, container, scene_.container(container), capabilities.dump()});
  }
  std::string must_call(const std::vector<std::string>& words) { return checked(call(words)); }
  std::string must_call(const std::string& verb, const std::string& container,
                        const Json& capabilities = Json::object()) {
    return checked(call(verb, container, capabilities));
  }

 private:
  static std::string checked(const CommandResult& result) {
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return result.out;
  }
  CniScene& scene_;
  std::string path_;
  std::string list_;
};

Json plugin(const CniScene& scene, const std::string& attach) {
  Json conf = scene.conf("1.0.0");
  conf.erase("cniVersion");
  conf.erase("name");
  conf["attach"] = attach;
  conf["capabilities"] = {{"ips", true}, {"io.kubernetes.cri.pod-annotations", true}};
  return conf;
}

}  // namespace

TEST_CASE("cni libcni: ADD, CHECK, DEL, VERSION, STATUS and GC, as a runtime calls them") {
  if (!need_namespaces()) return;
  const std::string path = plugin_path();
  if (path.empty()) return;
  CniScene scene;
  Libcni libcni(scene, path, Json::array({plugin(scene, "runtime")}));
  CHECK(libcni.must_call({"version"}) == "particle-cni [0.3.0 0.3.1 0.4.0 1.0.0 1.1.0]\n");
  CHECK(libcni.must_call({"validate"}).find("ips") != std::string::npos);
  libcni.must_call({"status"});

  const Json first = Json::parse(libcni.must_call("add", "c1"));
  CHECK(first["cniVersion"] == "1.0.0");
  CHECK(address_of(first) == "10.1.0.1");
  const Json named{{"ips", {"10.1.0.7/24"}}};
  CHECK(address_of(Json::parse(libcni.must_call("add", "c2", named))) == "10.1.0.7");
  const Json annotated{{"io.kubernetes.cri.pod-annotations", {{"io.particle.ip", "10.1.0.6"}}}};
  CHECK(address_of(Json::parse(libcni.must_call("add", "c3", annotated))) == "10.1.0.6");
  // libcni hands the plugin the result that it kept of the ADD.
  libcni.must_call("check", "c1");
  libcni.must_call("check", "c2", named);

  // The plugin's error arrives as CNI's, whole.
  const CommandResult again = libcni.call("add", "c1");
  CHECK(again.exit_code == 1);
  CHECK(Json::parse(again.err)["code"] == 103);
  // As after a crash, when the runtime has forgotten what it kept.
  fs::remove_all(scene.file("libcni-cache"));
  libcni.must_call("del", "c2", named);
  libcni.must_call("del", "c2", named);

  const std::vector<std::string> collect{"gc"};
  const CommandResult kept = libcni.call(collect, R"([{"containerID":"c1","ifname":"eth0"}])");
  CAPTURE(kept.err);
  CHECK(kept.exit_code == 0);
  CHECK(must(scene.node().count_leases("acme")) == 1);
  libcni.must_call("del", "c1");
  CHECK(scene.leftovers().empty());
}

TEST_CASE("cni libcni: a list with tuning and portmap behind ours, there and back") {
  if (!need_namespaces()) return;
  const std::string path = plugin_path();
  if (path.empty()) return;
  CniScene scene;
  const Json tuning{{"type", "tuning"}, {"mtu", 1300}, {"dataDir", scene.file("tuning")}};
  const Json portmap{{"type", "portmap"}, {"capabilities", {{"portMappings", true}}}};
  Libcni libcni(scene, path, Json::array({plugin(scene, "veth"), tuning, portmap}));
  libcni.must_call({"validate"});
  const Json result = Json::parse(libcni.must_call("add", "c1"));
  CHECK(address_of(result) == "10.1.0.2");
  const NetNs container = must(NetNs::open_path(scene.container("c1")));
  const auto link = run_command({"ip", "-j", "link", "show", "eth0"}, &container);
  CHECK(Json::parse(link.out)[0]["mtu"] == 1300);
  libcni.must_call("check", "c1");
  libcni.must_call("del", "c1");
  libcni.must_call("del", "c1");
  fs::remove_all(scene.file("libcni-cache"));
  CHECK(scene.leftovers().empty());
}

}  // namespace particle::test
