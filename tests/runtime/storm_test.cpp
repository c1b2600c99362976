// SPDX-License-Identifier: Apache-2.0
/// Many calls of particle-runc at once, more than the pool has endpoints.
#include <filesystem>
#include <memory>
#include <set>

#include "runtime/bundle_scene.hpp"
#include "runtime/components.hpp"

namespace particle::test {
namespace {

constexpr std::size_t kEndpoints = 14;
constexpr std::size_t kContainers = 20;

/// Runs particle-runc once per container, all at the same time: who succeeded.
template <class WordsFor>
std::set<std::string> all_at_once(const Runtime& runtime, const NetNs& node,
                                  const std::set<std::string>& ids, const WordsFor& words_for) {
  std::vector<std::pair<std::string, std::unique_ptr<Command>>> calls;
  for (const std::string& id : ids) {
    std::vector<std::string> words{"sh", "-c", R"(exec "$@" >/dev/null 2>&1)", "sh"};
    for (const auto& word : runtime.words(words_for(id))) words.push_back(word);
    calls.emplace_back(id, std::make_unique<Command>(words, &node));
  }
  std::set<std::string> succeeded;
  for (const auto& [id, call] : calls) {
    if (call->finish().exit_code == 0) succeeded.insert(id);
  }
  return succeeded;
}

TEST_CASE(
    "particle-runc: a storm of creates fills the pool exactly, and a storm of deletes empties it") {
  if (!need_components({"runc", "busybox"})) return;
  Scene scene;
  must(scene.a.create_pool(pool_spec("acme", "acme", 42, {"10.1.0.0/28"})));
  {
    const Runtime runtime(scene.nodes.a, scene.dir.path(), scene.dir.path(), component("runc"));
    BundleSpec spec;
    spec.annotations = {{"io.particle.pool", "acme"}};
    std::set<std::string> ids;
    for (std::size_t i = 0; i < kContainers; ++i) ids.insert("storm" + std::to_string(i));
    using Words = std::vector<std::string>;
    // Each container has a bundle of its own, as engines make them.
    const auto made = all_at_once(runtime, scene.nodes.a, ids, [&](const std::string& id) {
      return Words{"create", "--bundle", runtime.make_bundle(id, spec), id};
    });
    CHECK(made.size() == kEndpoints);
    std::set<std::string> addresses;
    for (const Lease& lease : must(scene.a.leases())) addresses.insert(lease.endpoint.to_string());
    CHECK(addresses.size() == kEndpoints);
    CHECK(entries_in(runtime.state_directory() + "/" + scene.a.id()) == kEndpoints);
    const auto deleted = all_at_once(runtime, scene.nodes.a, ids, [](const std::string& id) {
      return Words{"delete", "--force", id};
    });
    CHECK(deleted.size() == kContainers);
    CHECK(must(scene.a.leases()).empty());
    CHECK(entries_in(runtime.state_directory() + "/" + scene.a.id()) == 0);
  }
  must(scene.a.delete_pool("acme"));
}

}  // namespace
}  // namespace particle::test
