// SPDX-License-Identifier: Apache-2.0
// OCI image layouts.
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "launcher_scene.hpp"

namespace particle::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using fleet::Ended;
using fleet::Phase;

/// Makes a layout: blobs by their digests, as the sha256sum of coreutils has them.
class Layout {
 public:
  Layout() {
    fs::create_directories(blobs());
    std::ofstream(dir_.file("oci-layout")) << R"({"imageLayoutVersion": "1.0.0"})";
  }
  [[nodiscard]] const std::string& path() const { return dir_.path(); }
  [[nodiscard]] std::string blobs() const { return dir_.file("blobs/sha256"); }

  /// A file becomes a blob. Returns its descriptor.
  [[nodiscard]] Json keep(const std::string& file, const std::string& type) const {
    const CommandResult sum = run_command({"sha256sum", file});
    REQUIRE(sum.exit_code == 0);
    const std::string digest = sum.out.substr(0, 64);
    const auto size = fs::file_size(file);
    fs::rename(file, blobs() + "/" + digest);
    return {{"mediaType", type}, {"digest", "sha256:" + digest}, {"size", size}};
  }
  [[nodiscard]] Json keep_json(const Json& json, const std::string& type) const {
    std::ofstream(dir_.file("next")) << json.dump();
    return keep(dir_.file("next"), type);
  }
  /// A directory becomes a layer.
  [[nodiscard]] Json keep_layer(const std::string& directory) const {
    const CommandResult packed =
        run_command({"tar", "-C", directory, "-czf", dir_.file("next"), "."});
    REQUIRE(packed.exit_code == 0);
    return keep(dir_.file("next"), "application/vnd.oci.image.layer.v1.tar+gzip");
  }
  /// An image of these layers, by that tag.
  void add_image(const std::string& tag, const Json& layers, const Json& defaults) {
    const Json config =
        keep_json({{"architecture", "amd64"}, {"os", "linux"}, {"config", defaults}},
                  "application/vnd.oci.image.config.v1+json");
    Json manifest = keep_json({{"schemaVersion", 2}, {"config", config}, {"layers", layers}},
                              "application/vnd.oci.image.manifest.v1+json");
    manifest["annotations"] = {{"org.opencontainers.image.ref.name", tag}};
    manifests_.push_back(manifest);
    std::ofstream(dir_.file("index.json"))
        << Json{{"schemaVersion", 2}, {"manifests", manifests_}}.dump();
  }

 private:
  TempRunDir dir_;
  Json manifests_ = Json::array();
};

/// The second layer takes a file and what a directory had away.
Json make_layers(const LauncherScene& scene, const Layout& layout) {
  const TempRunDir second;
  fs::create_directories(second.file("srv/full"));
  std::ofstream(second.file("srv/.wh.gone")) << "";
  std::ofstream(second.file("srv/full/.wh..wh..opq")) << "";
  std::ofstream(second.file("srv/full/new")) << "new\n";
  fs::create_directories(scene.image() + "/srv/full");
  std::ofstream(scene.image() + "/srv/gone") << "gone\n";
  std::ofstream(scene.image() + "/srv/full/old") << "old\n";
  return {layout.keep_layer(scene.image()), layout.keep_layer(second.path())};
}

}  // namespace

TEST_CASE("launcher: an OCI image is run as its layers and configuration say") {
  if (!need_root()) return;
  const LauncherScene scene;
  Layout layout;
  layout.add_image("v1", make_layers(scene, layout),
                   {{"Env", {"WORD=from the image"}},
                    {"Entrypoint", {"/bin/sh", "-c"}},
                    {"Cmd", {"echo $WORD; ls /srv /srv/full; echo x > /srv/mine"}}});
  fleet::JobSpec job = scene.job({});
  for (const std::string tag : {"", ":v1"}) {
    job.function.image = "oci:" + layout.path() + tag;
    Record record;
    run_job(scene, job, 2, record);
    INFO(record.errors(0) << record.last(Phase::done, 0).detail);
    CHECK(record.last(Phase::done, 0).ended == Ended::ok);
    CHECK(record.output(1) == "from the image\n/srv:\nfull\n\n/srv/full:\nnew\n");
  }
}

TEST_CASE("launcher: an OCI image that is broken is refused with what is wrong") {
  if (!need_root()) return;
  const LauncherScene scene;
  Layout layout;
  const Json layers = make_layers(scene, layout);
  layout.add_image("v1", layers, {{"Cmd", {"true"}}});
  const fleet::Launcher launcher = scene.open();
  Record record;
  fleet::JobSpec job = scene.job({});
  job.function.image = "oci:" + layout.path() + ":v2";
  CHECK(launcher.start(job, record).error().kind() == Errc::not_found);
  job.function.image = "oci:/no/such/layout";
  CHECK(launcher.start(job, record).error().kind() == Errc::not_found);
  const std::string digest = layers[1]["digest"].get<std::string>().substr(7);
  std::ofstream(layout.blobs() + "/" + digest, std::ios::app) << "more";
  job.function.image = "oci:" + layout.path();
  const auto refused = launcher.start(job, record);
  CHECK(refused.error().kind() == Errc::invalid_argument);
  CHECK(refused.error().message().find("its content has another digest") != std::string::npos);
}

}  // namespace particle::test
