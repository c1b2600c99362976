// SPDX-License-Identifier: Apache-2.0
// Many processes at once: one pool is made, no address is given twice, all is given back.
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "plugin_driver.hpp"

namespace particle::test {
namespace {

/// The same call for many containers, `width` processes at a time; the answers in order of ids.
std::vector<CniAnswer> call_all(CniScene& scene, const std::string& verb,
                                const std::vector<std::string>& ids, const Json& conf,
                                std::size_t width) {
  std::vector<CniAnswer> answers(ids.size());
  std::vector<CniEnvironment> environments;
  for (const auto& id : ids) environments.push_back(scene.environment(verb, id));
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> workers;
  const std::string input = conf.dump();
  for (std::size_t i = 0; i < width; ++i) {
    workers.emplace_back([&] {
      for (std::size_t at = next++; at < ids.size(); at = next++)
        answers[at] = scene.call(environments[at], input);
    });
  }
  for (auto& worker : workers) worker.join();
  return answers;
}

std::vector<std::string> make_containers(CniScene& scene, int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) {
    ids.push_back("c" + std::to_string(i));
    scene.container(ids.back());
  }
  return ids;
}

void check_all_given(const std::vector<CniAnswer>& answers) {
  std::set<std::string> addresses;
  for (const auto& answer : answers) {
    CAPTURE(answer.out);
    CAPTURE(answer.err);
    REQUIRE(answer.exit_code == 0);
    addresses.insert(address_of(answer.json()));
  }
  CHECK(addresses.size() == answers.size());
}

}  // namespace

TEST_CASE("cni concurrent: 32 first ADDs of a tenant make one pool and take 32 addresses") {
  if (!need_namespaces()) return;
  for (const char* attach : {"runtime", "veth"}) {
    CAPTURE(attach);
    CniScene scene;
    Json conf = scene.conf();
    conf["count"] = 100;
    conf["attach"] = attach;
    const auto ids = make_containers(scene, 32);
    check_all_given(call_all(scene, "ADD", ids, conf, 32));
    CHECK(must(scene.node().inspect_pool("acme")).leased == 32);
    CHECK(must(scene.node().inspect_pool("acme")).health == PoolHealth::ready);
    for (const auto& answer : call_all(scene, "DEL", ids, conf, 32)) {
      CAPTURE(answer.out);
      CHECK(answer.exit_code == 0);
    }
    CHECK(scene.leftovers() == std::vector<std::string>{});
  }
}

TEST_CASE("cni concurrent: pools that come and go under a storm of ADDs and DELs") {
  if (!need_namespaces()) return;
  CniScene scene;
  Json conf = scene.conf();
  conf["count"] = 100;
  const auto ids = make_containers(scene, 8);
  std::atomic<int> failures{0};
  std::vector<std::thread> workers;
  const std::string input = conf.dump();
  std::string said;
  std::mutex mutex;
  for (const auto& id : ids) {
    const auto add = scene.environment("ADD", id);
    const auto del = scene.environment("DEL", id);
    workers.emplace_back([&, add, del] {
      for (int round = 0; round < 12; ++round) {
        for (const auto& environment : {add, del}) {
          const CniAnswer answer = scene.call(environment, input);
          if (answer.exit_code == 0) continue;
          ++failures;
          const std::scoped_lock lock(mutex);
          said += answer.out;
        }
      }
    });
  }
  for (auto& worker : workers) worker.join();
  CAPTURE(said);
  CHECK(failures == 0);
  CHECK(scene.leftovers() == std::vector<std::string>{});
}

TEST_CASE("cni concurrent: a storm of DELs for one container is as good as one") {
  if (!need_namespaces()) return;
  CniScene scene;
  const Json conf = scene.conf();
  scene.add("c1", conf);
  scene.add("c2", conf);
  const std::vector<std::string> same(24, "c1");
  for (const auto& answer : call_all(scene, "DEL", same, conf, 12)) {
    CAPTURE(answer.out);
    CHECK(answer.exit_code == 0);
  }
  CHECK(must(scene.node().count_leases("acme")) == 1);
  scene.del("c2", conf);
  CHECK(scene.leftovers() == std::vector<std::string>{});
}

}  // namespace particle::test
