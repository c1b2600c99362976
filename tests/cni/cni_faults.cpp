// SPDX-License-Identifier: Apache-2.0
// State files truncated, corrupted or of a later release; a full disk.
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "attachment.hpp"
#include "plugin_driver.hpp"

namespace particle::test {
namespace {

std::string record_path(const CniScene& scene, const std::string& id) {
  return scene.run_dir() + "/cni/" + scene.node().id() + "/attachments/" + id + "/web.eth0.json";
}

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void overwrite(const std::string& path, const std::string& text) {
  REQUIRE(std::filesystem::exists(path));
  std::ofstream(path, std::ios::trunc) << text;
}

}  // namespace

TEST_CASE("cni faults: DEL and GC give back an attachment whose record is unreadable") {
  if (!need_namespaces()) return;
  for (const std::string& verb : {std::string("DEL"), std::string("GC")}) {
    for (const std::string& garbage : {std::string(), std::string("{\"version\":1,\"network"),
                                       std::string(4096, '\0'), std::string("{\"version\":1}"),
                                       std::string("[]"), std::string("{\"version\":\"one\"}")}) {
      CAPTURE(verb);
      CAPTURE(garbage.substr(0, 20));
      CniScene scene;
      Json conf = scene.conf();
      Json result = scene.add("c1", conf);
      overwrite(record_path(scene, "c1"), garbage);
      conf["prevResult"] = result;
      CHECK(scene.call("CHECK", "c1", conf).code() == 5);
      conf["cni.dev/valid-attachments"] = Json::array();
      CHECK(scene.call(verb, "c1", conf).code() == 0);
      CHECK(scene.leftovers() == std::vector<std::string>{});
    }
  }
}

TEST_CASE("cni faults: every truncation of a record is noticed") {
  const cni::Attachment record{.key = {"web", "c1", "eth0"},
                               .complete = true,
                               .pool = "acme",
                               .run_dir = "/run/x",
                               .attach = cni::Attach::runtime,
                               .sandbox = "/run/netns/c1",
                               .netns_path = "/run/x/netns",
                               .v4 = must(IpAddress::parse("10.1.0.1")),
                               .v6 = std::nullopt,
                               .prefixes = {must(IpPrefix::parse("10.1.0.0/24"))},
                               .pod = {"shop", "cart-0", "u"},
                               .cgroup_path = "/k",
                               .enforce = "auto"};
  const std::string text = cni::to_text(record);
  CHECK(must(cni::parse_attachment(text, "x")) == record);
  for (std::size_t size = 0; size + 2 < text.size(); ++size)
    CHECK_FALSE(cni::parse_attachment(text.substr(0, size), "x").has_value());
}

TEST_CASE("cni faults: a record of a later release is left alone and said so") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = scene.conf();
  scene.add("c1", conf);
  scene.add("c2", conf);
  const std::string path = record_path(scene, "c1");
  const std::string before = read(path);
  Json later = Json::parse(before);
  later["version"] = 2;
  overwrite(path, later.dump());
  CHECK(scene.call("DEL", "c1", conf).code() == 104);
  CHECK(scene.call("ADD", "c1", conf).code() == 104);
  conf["cni.dev/valid-attachments"] = Json::array();
  CHECK(scene.call("GC", "", conf).code() == 104);  // and yet c2 was released
  CHECK(must(scene.node().count_leases("acme")) == 1);
  overwrite(path, before);
  scene.del("c1", conf);
  CHECK(scene.leftovers() == std::vector<std::string>{});
}

TEST_CASE("cni faults: STATUS and GC remove the files of nodes of an earlier boot, and no others") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = scene.conf();
  scene.add("c1", conf);
  const std::string own = scene.node().id();
  const std::string earlier = scene.run_dir() + "/cni/00000000-1/attachments/c9";
  const std::string sibling = scene.run_dir() + "/cni/" + own.substr(0, 8) + "-1/attachments/c9";
  for (const auto& directory : {earlier, sibling}) {
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/web.eth0.json") << "{}";
  }
  CHECK(scene.call("STATUS", "", conf).code() == 0);
  CHECK_FALSE(std::filesystem::exists(scene.run_dir() + "/cni/00000000-1"));
  CHECK(std::filesystem::exists(sibling));  // it may be making its first pool
  CHECK(std::filesystem::exists(record_path(scene, "c1")));
  scene.del("c1", conf);
}

TEST_CASE(
    "cni faults: an ADD on a full disk is an I/O error and leaves nothing, and DEL still works") {
  if (!need_namespaces()) return;
  CniScene scene;
  std::filesystem::create_directories(scene.run_dir());
  REQUIRE(mount("tmpfs", scene.run_dir().c_str(), "tmpfs", 0, "size=256k") == 0);
  const Json conf = scene.conf();
  scene.add("c1", conf);
  const std::string ballast = scene.run_dir() + "/ballast";
  {
    std::ofstream fill(ballast);
    const std::string block(4096, 'x');
    while (fill.write(block.data(), 4096) && fill.flush()) {
    }
  }
  scene.container("c2");
  const CniAnswer full = scene.call("ADD", "c2", conf);
  CAPTURE(full.out);
  CHECK(full.code() == 5);
  CHECK(must(scene.node().count_leases("acme")) == 1);
  CHECK(must(cni::AttachmentStore::of(scene.node()).of_container("c2")).empty());
  const CniAnswer removed = scene.call("DEL", "c1", conf);
  CAPTURE(removed.out);
  const bool gone_while_full = removed.exit_code == 0;
  std::filesystem::remove(ballast);
  // SQLite needs room for its journal: a DEL that could not write is repeated by the runtime.
  if (!gone_while_full) CHECK(removed.code() == 5);
  scene.del("c1", conf);
  CHECK(scene.leftovers() == std::vector<std::string>{});
  CHECK(umount2(scene.run_dir().c_str(), MNT_DETACH) == 0);
}

}  // namespace particle::test
