// SPDX-License-Identifier: Apache-2.0
// allocate-block, release-block and list-blocks as programs, from an empty etcd to pools that reach
// each other.
#include <doctest/doctest.h>

#include "e2e/cli_program.hpp"
#include "netns/pool_scene.hpp"
#include "overlay/etcd_cluster.hpp"

namespace particle::test {
namespace {

using Json = nlohmann::json;

struct Verbs {
  EtcdCluster cluster{2};

  Verbs() { cluster.etcd().start(); }

  [[nodiscard]] CommandResult run(std::size_t node, std::vector<std::string> words,
                                  bool named = true) const {
    const auto etcd = cluster.etcd_options();
    words.insert(words.end(), etcd.begin(), etcd.end());
    if (named) words.insert(words.end(), {"--node", EtcdCluster::name_of(node)});
    return run_particle(words, &cluster.netns(node));
  }
  /// The document, which must be as it is documented.
  [[nodiscard]] Json ask(std::size_t node, std::vector<std::string> words,
                         bool named = true) const {
    const std::string verb = words.front();
    words.emplace_back("--json");
    const CommandResult result = run(node, std::move(words), named);
    INFO(result.err << result.out);
    REQUIRE(result.exit_code == 0);
    Json json = parse_output(result);
    CHECK(said(schema_violations(json, verb)) == "");
    return json;
  }
};

}  // namespace

TEST_CASE("etcd verbs: two nodes get their addresses and VNI from etcd, and their pools meet") {
  if (!need_namespaces() || !need_etcd()) return;
  Verbs verbs;
  verbs.cluster.start_agents();
  std::vector<PoolInfo> pools;
  for (const std::size_t node : {0U, 1U}) {
    const Json got = verbs.ask(node, {"allocate-block", "--tenant", "acme", "--pool", "job",
                                      "--from", "10.1.0.0/16", "--length", "/24"});
    CHECK(got["changed"] == true);
    const std::string prefix = got["block"]["prefix"];
    CHECK(prefix == "10.1." + std::to_string(node) + ".0/24");
    pools.push_back(verbs.cluster.make_pool(node, "job", {prefix.c_str()}, "acme",
                                            got["block"]["vni"].get<std::uint64_t>()));
  }
  CHECK(becomes([&] { return verbs.cluster.meet(0, pools[0], 1, pools[1]); }));
  const Json blocks = verbs.ask(0, {"list-blocks"}, false)["blocks"];
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[0]["node"] == "n1");
  CHECK(blocks[0]["announced"] == true);

  // What is in use stays, and the message says by whom.
  const CommandResult busy = verbs.run(1, {"release-block", "--tenant", "acme", "--pool", "job"});
  CHECK(busy.exit_code == 7);
  CHECK(busy.err.find("10.1.1.0/24 of tenant acme is announced by node n2") != std::string::npos);
  must(verbs.cluster.node(1).delete_pool("job"));
  CHECK(becomes([&] {
    return verbs.run(1, {"release-block", "--tenant", "acme", "--pool", "job"}).exit_code == 0;
  }));
  CHECK(verbs.ask(0, {"list-blocks"}, false)["blocks"].size() == 1);
}

TEST_CASE("etcd verbs: texts, and exit codes for what is wrong") {
  if (!need_namespaces() || !need_etcd()) return;
  Verbs verbs;
  const std::vector<std::string> wish{"allocate-block", "--tenant",    "acme",  "--pool", "job",
                                      "--from",         "10.1.0.0/24", "--vni", "42"};
  CommandResult result = verbs.run(0, wish);
  CHECK(result.exit_code == 0);
  CHECK(result.out == "block 10.1.0.0/24 of tenant acme, VNI 42, is for pool job of node n1\n");
  CHECK(verbs.run(0, wish).out.find("was already for pool job") != std::string::npos);
  result = verbs.run(1, wish);
  CHECK(result.exit_code == 8);
  CHECK(result.err.find("no /24 is free in 10.1.0.0/24") != std::string::npos);
  result = verbs.run(1, {"allocate-block", "--tenant", "evil", "--pool", "job", "--from",
                         "10.1.0.0/24", "--vni", "42"});
  CHECK(result.exit_code == 4);
  result = verbs.run(0, {"list-blocks"}, false);
  CHECK(result.out.find("acme    42   10.1.0.0/24  n1    job   idle") != std::string::npos);
  CHECK(verbs.ask(1, {"release-block", "--tenant", "acme", "--all"})["released"].empty());
  CHECK(verbs.ask(0, {"release-block", "--tenant", "acme", "--all"})["released"].size() == 1);
  // Every fault at once, and nothing is asked of etcd.
  result = run_particle({"allocate-block", "--tenant", "a/b", "--from", "10.1.0.0/33"});
  CHECK(result.exit_code == 2);
  for (const char* word : {"--pool", "--etcd-endpoints", "--from 10.1.0.0/33"})
    CHECK_MESSAGE(result.err.find(word) != std::string::npos, result.err);
  result = verbs.run(0, {"release-block", "--tenant", "acme"});
  CHECK(result.exit_code == 2);
  CHECK(result.err.find("neither --pool nor --block") != std::string::npos);
}

}  // namespace particle::test
