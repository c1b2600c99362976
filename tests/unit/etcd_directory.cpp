// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "overlay-adapters/etcd/directory.hpp"
#include "overlay-adapters/etcd/settings.hpp"
#include "support/netns_fixture.hpp"

namespace particle::test {
namespace {

using namespace overlay;

const EtcdKeys kKeys("c");

KeyValue pool_key(const std::string& node, const std::string& pool, const std::string& prefix,
                  std::int64_t created, std::uint64_t vni = 42,
                  const std::string& tenant = "acme") {
  Announcement one;
  one.node = node;
  one.pool = pool;
  one.vni = must(Vni::from(vni));
  one.peer = {tenant,
              must(IpAddress::parse("192.0.2.1")),
              Mac::derive(node + pool),
              {must(IpPrefix::parse(prefix))}};
  return {kKeys.pool(node, pool), to_json(one), created, created, 1};
}

std::vector<std::string> names(const Directory::Verdict& verdict) {
  std::vector<std::string> out;
  for (const auto& one : verdict.announcements) out.push_back(one.node + "/" + one.pool);
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "etcd directory: others' announcements hold, the oldest first, this node's are left out") {
  Directory directory(kKeys);
  directory.put(pool_key("b", "p", "10.2.0.0/24", 9));
  directory.put(pool_key("a", "p", "10.1.0.0/24", 5));
  directory.put(pool_key("c", "p", "10.3.0.0/24", 7));
  CHECK(names(directory.judge("a", true)) == Names{"c/p", "b/p"});
  // Another machine has our name: its pools are its own.
  CHECK(names(directory.judge("a", false)) == Names{"a/p", "c/p", "b/p"});
  directory.erase(kKeys.pool("c", "p"));
  directory.erase(kKeys.pool("c", "never"));
  CHECK(names(directory.judge("a", true)) == Names{"b/p"});
  CHECK(directory.judge("a", true).problems.empty());
}

TEST_CASE("etcd directory: what is of another tenant's VNI is refused, whoever announces it") {
  Directory directory(kKeys);
  directory.put(pool_key("b", "old", "10.2.0.0/24", 5, 42, "acme"));
  directory.put(pool_key("c", "new", "10.2.0.0/24", 6, 42, "evil"));
  CHECK(names(directory.judge("a", true)) == Names{"b/old"});
  CHECK(directory.judge("a", true).problems.size() == 1);
  // It is our own: the others refuse it, and we say so.
  const auto own = directory.judge("c", true);
  REQUIRE(own.problems.size() == 1);
  CHECK(own.problems.front().starts_with("pool new of this node has VNI 42"));
  CHECK(own.problems.front().find("the other nodes refuse it") != std::string::npos);
  // An allocation counts more than age.
  directory.put({kKeys.vni(must(Vni::from(42))), vni_value("evil"), 8, 8, 0});
  CHECK(names(directory.judge("a", true)) == Names{"c/new"});
  directory.erase(kKeys.vni(must(Vni::from(42))));
  CHECK(names(directory.judge("a", true)) == Names{"b/old"});
}

TEST_CASE("etcd directory: who announces an allocated block must have it") {
  Directory directory(kKeys);
  const auto block = [](const char* prefix, const char* node) {
    return KeyValue{kKeys.block("acme", must(IpPrefix::parse(prefix))), block_value(node, "p"), 1,
                    1, 0};
  };
  directory.put(block("10.2.0.0/16", "b"));
  directory.put(block("10.4.0.0/24", "c"));
  directory.put(pool_key("b", "mine", "10.2.7.0/24", 5));
  directory.put(pool_key("c", "inside", "10.2.8.0/24", 6));
  directory.put(pool_key("d", "around", "10.0.0.0/8", 7));
  directory.put(pool_key("e", "free", "10.5.0.0/24", 8));
  directory.put(pool_key("f", "other-tenant", "10.2.7.0/24", 9, 43, "red"));
  const auto verdict = directory.judge("a", true);
  CHECK(names(verdict) == Names{"b/mine", "e/free", "f/other-tenant"});
  CHECK(verdict.problems.size() == 2);
  directory.erase(block("10.2.0.0/16", "b").key);
  CHECK(names(directory.judge("a", true)) ==
        Names{"b/mine", "c/inside", "e/free", "f/other-tenant"});
}

TEST_CASE("etcd directory: what cannot be read is named and harms nothing else") {
  Directory directory(kKeys);
  directory.put(pool_key("b", "p", "10.2.0.0/24", 5));
  KeyValue lie = pool_key("c", "p", "10.3.0.0/24", 6);
  lie.key = kKeys.pool("d", "p");  // c's announcement under d's name
  directory.put(lie);
  directory.put({kKeys.pool("e", "junk"), "{", 7, 7, 0});
  directory.put({kKeys.node("e"), "[]", 7, 7, 0});
  directory.put({kKeys.vni(must(Vni::from(7))), "7", 7, 7, 0});
  directory.put({kKeys.tenant("x"), "\"\"", 7, 7, 0});
  directory.put({"/particle/c/blocks/acme/nonsense", "{}", 7, 7, 0});
  directory.put({"/particle/c/future/thing", "{}", 7, 7, 0});
  directory.put({"/elsewhere", "{}", 7, 7, 0});
  const auto verdict = directory.judge("a", true);
  CHECK(names(verdict) == Names{"b/p"});
  CHECK(verdict.problems.size() == 2);
}

TEST_CASE("etcd settings: all that is wrong is said at once") {
  const auto wrong = [](const std::map<std::string, std::string>& settings) {
    const auto read = parse_etcd_settings(settings);
    return read ? std::vector<std::string>{} : read.error().details;
  };
  CHECK(wrong({{"etcd-endpoints", "http://192.0.2.9:2379,https://[2001:db8::9]:2379/"}}).empty());
  CHECK(wrong({{"etcd-endpoints", "192.0.2.9:2379"}}).empty());
  CHECK(wrong({{"etcd-endpoints", "ftp://x,http://a/b,http://u@h,,"},
               {"etcd-cluster", "a/b"},
               {"etcd-ca", "/no/such/file"},
               {"etcd-cert", "/dev/null"},
               {"etcd-user", "me"},
               {"etcd-lease", "1"}})
            .size() == 10);
  for (const char* lease : {"", "x", "30s", "-5", "3601", "99999999999999999999"})
    CHECK_MESSAGE(wrong({{"etcd-endpoints", "h"}, {"etcd-lease", lease}}).size() == 1, lease);
  const auto good = must(parse_etcd_settings(
      {{"etcd-endpoints", "https://a:1/,b:2"}, {"etcd-cluster", "red"}, {"etcd-lease", "9"}}));
  CHECK(good.endpoints == std::vector<std::string>{"https://a:1", "http://b:2"});
  CHECK(good.cluster == "red");
  CHECK(good.lease == std::chrono::seconds(9));
}

}  // namespace particle::test
