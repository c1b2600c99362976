// SPDX-License-Identifier: Apache-2.0
// The conformance matrix: verb by version by what is missing, printed by the run.
#include <array>
#include <iostream>

#include "plugin_driver.hpp"

namespace particle::test {
namespace {

constexpr std::array<const char*, 5> kVersions{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

int rank_of(const std::string& version) {
  for (std::size_t i = 0; i < kVersions.size(); ++i) {
    if (version == kVersions[i]) return static_cast<int>(i);
  }
  return -1;
}

struct Row {
  const char* verb;
  const char* what;           ///< what is missing or wrong
  CniEnvironment change;      ///< an empty value takes the variable away
  const char* key = nullptr;  ///< a member to take away, or to set when value is given
  Json value = nullptr;
  int code;                     ///< expected; 0 is success
  const char* since = "0.3.0";  ///< before this version the code is 1
};

std::vector<Row> rows() {
  std::vector<Row> out;
  const auto add = [&](Row row) { out.push_back(std::move(row)); };
  for (const char* verb : {"ADD", "CHECK", "DEL"}) {
    const char* since = std::string(verb) == "CHECK" ? "0.4.0" : "0.3.0";
    add({verb, "nothing", {}, nullptr, nullptr, 0, since});
    add({verb, "no CNI_CONTAINERID", {{"CNI_CONTAINERID", ""}}, nullptr, nullptr, 4});
    add({verb, "no CNI_IFNAME", {{"CNI_IFNAME", ""}}, nullptr, nullptr, 4});
    const bool del = std::string(verb) == "DEL";
    add({verb, "no CNI_NETNS", {{"CNI_NETNS", ""}}, nullptr, nullptr, del ? 0 : 4});
    add({verb, "no CNI_PATH", {{"CNI_PATH", ""}}, nullptr, nullptr, 0, since});
    add({verb, "bad container id", {{"CNI_CONTAINERID", "../c"}}, nullptr, nullptr, 4});
    add({verb, "IFNAME of 16", {{"CNI_IFNAME", "eth0123456789abc"}}, nullptr, nullptr, 4});
    add({verb, "IFNAME ..", {{"CNI_IFNAME", ".."}}, nullptr, nullptr, 4});
    add({verb, "IFNAME a/b", {{"CNI_IFNAME", "a/b"}}, nullptr, nullptr, 4});
    add({verb, "IFNAME a:b", {{"CNI_IFNAME", "a:b"}}, nullptr, nullptr, 4});
    add({verb, "bad CNI_ARGS", {{"CNI_ARGS", "IP"}}, nullptr, nullptr, del ? 0 : 4});
    add({verb, "no name", {}, "name", nullptr, 7});
    add({verb, "bad name", {}, "name", "-x", 7});
    add({verb, "no type", {}, "type", nullptr, 7});
    add({verb, "no tenant", {}, "tenant", nullptr, del ? 0 : 7, since});
    add({verb, "unknown key", {}, "colour", "red", del ? 0 : 2, since});
  }
  add({"CHECK", "no prevResult", {}, "prevResult", nullptr, 7, "0.4.0"});
  add({"ADD", "prevResult is 7", {}, "prevResult", 7, 7});
  add({"DEL", "no prevResult", {}, "prevResult", nullptr, 0});
  for (const char* verb : {"GC", "STATUS"}) {
    const CniEnvironment bare{{"CNI_CONTAINERID", ""}, {"CNI_NETNS", ""}, {"CNI_IFNAME", ""}};
    add({verb, "nothing", bare, "cni.dev/valid-attachments", Json::array(), 0, "1.1.0"});
    add({verb, "no name", bare, "name", nullptr, 7});
    add({verb, "no tenant", bare, "tenant", nullptr, 7, "1.1.0"});
  }
  add({"GC", "no valid-attachments", {}, nullptr, nullptr, 7, "1.1.0"});
  add({"STATUS", "unknown key", {}, "colour", "red", 2, "1.1.0"});
  return out;
}

bool leases_first(const Row& row) {
  const std::string verb = row.verb;
  return verb == "CHECK" || verb == "DEL";
}

/// One cell: a fresh scene, an ADD where the verb needs one, then the call.
int run_cell(const Row& row, const std::string& version) {
  CniScene scene;
  Json conf = scene.conf(version);
  scene.container("c1");
  if (leases_first(row)) conf["prevResult"] = scene.add("c1", conf);
  if (row.key != nullptr) {
    if (row.value.is_null())
      conf.erase(row.key);
    else
      conf[row.key] = row.value;
  }
  const CniAnswer answer = scene.call(row.verb, "c1", conf, row.change);
  CAPTURE(answer.out);
  CHECK(answer.code() >= 0);
  if (answer.code() > 0) CHECK(answer.json()["cniVersion"] == version);
  if (answer.code() == 0 && std::string(row.verb) == "ADD") {
    const Json result = answer.json();
    CHECK(result["cniVersion"] == version);
    CHECK(result["ips"][0].contains("version") == (rank_of(version) < rank_of("1.0.0")));
    CHECK(result["interfaces"][0].contains("mtu") == (rank_of(version) >= rank_of("1.1.0")));
  } else if (answer.code() == 0) {
    CHECK(answer.out.empty());
  }
  return answer.code();
}

}  // namespace

TEST_CASE("cni conformance: every verb, version and missing thing") {
  if (!need_namespaces()) return;
  std::cout << "verb    missing or wrong        ";
  for (const char* version : kVersions) std::cout << version << "  ";
  std::cout << "\n";
  for (const Row& row : rows()) {
    std::string line = row.verb;
    line.resize(8, ' ');
    line += row.what;
    line.resize(32, ' ');
    std::cout << line;
    for (const char* version : kVersions) {
      CAPTURE(row.verb);
      CAPTURE(row.what);
      CAPTURE(version);
      const int expected = rank_of(version) < rank_of(row.since) ? 1 : row.code;
      const int code = run_cell(row, version);
      CHECK(code == expected);
      std::string cell = code == 0 ? "ok" : std::to_string(code);
      if (code != expected) cell += "!";
      cell.resize(7, ' ');
      std::cout << cell;
    }
    std::cout << "\n";
  }
}

TEST_CASE("cni conformance: VERSION lists what is supported, asked in any version or none") {
  if (!need_namespaces()) return;
  CniScene scene;
  for (const char* input : {R"({"cniVersion":"0.4.0"})", R"({"cniVersion":"9.9.9"})", "{}", ""}) {
    CAPTURE(input);
    const CniAnswer answer = scene.call({{"CNI_COMMAND", "VERSION"}}, input);
    CHECK(answer.exit_code == 0);
    CHECK(answer.json()["supportedVersions"] == Json(kVersions));
  }
  CHECK(
      scene.call({{"CNI_COMMAND", "VERSION"}}, R"({"cniVersion":"0.4.0"})").json()["cniVersion"] ==
      "0.4.0");
  for (const char* version : {"0.1.0", "0.2.0", "1.2.0", "2.0.0", "x"}) {
    Json conf = scene.conf(version);
    CHECK(scene.call("ADD", "c1", conf).code() == 1);
  }
  Json conf = scene.conf();
  conf.erase("cniVersion");
  CHECK(scene.call("ADD", "c1", conf).code() == 1);
  CHECK(scene.call({}, "{}").code() == 4);
  CHECK(scene.call({{"CNI_COMMAND", "BURN"}}, "{}").code() == 4);
}

TEST_CASE("cni conformance: a previous result is honoured and passed on") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = scene.conf("0.4.0");
  conf["prevResult"] = Json::parse(R"({
    "cniVersion": "0.4.0", "interfaces": [{"name": "lo", "sandbox": "/x"}],
    "ips": [{"version": "4", "interface": 0, "address": "127.0.0.1/8"}],
    "dns": {"nameservers": ["9.9.9.9"]}, "extra": {"kept": true}})");
  const Json result = scene.add("c1", conf);
  CHECK(result["interfaces"][0]["name"] == "lo");
  CHECK(result["interfaces"][1]["name"] == "eth0");
  CHECK(result["ips"][0]["address"] == "127.0.0.1/8");
  CHECK(result["ips"][1]["interface"] == 1);
  CHECK(result["ips"][1]["version"] == "4");
  CHECK(result["dns"]["nameservers"][0] == "9.9.9.9");
  CHECK(result["extra"]["kept"] == true);
  scene.del("c1", conf);
}

}  // namespace particle::test
