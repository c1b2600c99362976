// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <string>

#include "overlay-adapters/etcd/base64.hpp"
#include "overlay-adapters/etcd/wire.hpp"

namespace particle::test {
namespace {

using namespace overlay;
using wire::Json;

}  // namespace

TEST_CASE("etcd wire: base64 as RFC 4648 has it, both ways") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    CHECK(encode_base64(plain) == coded);
    CHECK(decode_base64(coded) == plain);
  }
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  CHECK(decode_base64(encode_base64(all)) == all);
  for (const char* bad : {"Z", "Zg", "Zg=", "Z===", "====", "Zm9v!A==", "Zg==Zg=="})
    CHECK_MESSAGE(!decode_base64(bad), bad);
}

TEST_CASE("etcd wire: a prefix's range ends behind its last key") {
  CHECK(wire::range_end("/particle/default/") == "/particle/default0");
}

TEST_CASE("etcd wire: a transaction has the names that the gateway knows") {
  const Json json = wire::commit_request({{"k", Condition::What::lease, 7},
                                          {"k", Condition::What::created, 0},
                                          {"k", Condition::What::modified, 9}},
                                         {{"a", "1", 7}, {"b", std::nullopt}});
  CHECK(json == Json::parse(R"({
    "compare": [
      {"key": "aw==", "result": "EQUAL", "target": "LEASE", "lease": "7"},
      {"key": "aw==", "result": "EQUAL", "target": "CREATE", "create_revision": "0"},
      {"key": "aw==", "result": "EQUAL", "target": "MOD", "mod_revision": "9"}],
    "success": [
      {"request_put": {"key": "YQ==", "value": "MQ==", "lease": "7"}},
      {"request_delete_range": {"key": "Yg=="}}]})"));
}

TEST_CASE("etcd wire: what a watch says is told apart") {
  // As etcd 3.4.23 wrote them.
  const auto said = [](const char* line) { return wire::watch_news(Json::parse(line)); };
  const WatchNews created = said(
      R"({"result":{"header":{"cluster_id":"1","member_id":"2","revision":"5","raft_term":"2"},"created":true}})");
  CHECK((created.put.empty() && created.deleted.empty() && !created.compacted && !created.refused));
  const WatchNews events = said(
      R"({"result":{"header":{"revision":"7"},"events":[
        {"kv":{"key":"aw==","create_revision":"6","mod_revision":"6","version":"1","value":"dg==","lease":"9"}},
        {"type":"DELETE","kv":{"key":"eA==","mod_revision":"7"}}]}})");
  REQUIRE(events.put.size() == 1);
  CHECK(events.put.front().key == "k");
  CHECK(events.put.front().value == "v");
  CHECK(events.put.front().lease == 9);
  REQUIRE(events.deleted.size() == 1);
  CHECK(events.deleted.front().key == "x");
  CHECK(events.deleted.front().modified == 7);
  CHECK(said(R"({"result":{"canceled":true,"compact_revision":"11"}})").compacted);
  const WatchNews refused =
      said(R"({"result":{"canceled":true,"cancel_reason":"permission denied"}})");
  CHECK(refused.refused == "permission denied");
  CHECK_FALSE(refused.compacted);
  CHECK(said(R"({"error":{"grpc_code":16,"message":"etcdserver: invalid auth token"}})").refused);
  for (const char* bad : {R"({})", R"({"result":{"events":[{}]}})", R"({"result":{"events":7}})",
                          R"({"result":{"events":[{"kv":{"key":"!"}}]}})",
                          R"({"result":{"events":[{"kv":{"key":"aw==","mod_revision":"x"}}]}})"})
    CHECK_THROWS_AS(said(bad), Json::exception);
}

TEST_CASE("etcd wire: errors keep etcd's words and say what kind they are") {
  const auto kind = [](const char* body) {
    return wire::error_of("op", 400, body, Json::parse(body, nullptr, false)).kind();
  };
  CHECK(kind(R"({"error":"etcdserver: requested lease not found","code":5})") == Errc::not_found);
  CHECK(kind(R"({"error":"etcdserver: invalid auth token","code":16})") == Errc::permission_denied);
  CHECK(kind(R"({"error":"etcdserver: user name is empty","code":3})") == Errc::permission_denied);
  CHECK(kind(R"({"error":"etcdserver: permission denied","code":7})") == Errc::permission_denied);
  CHECK(kind(R"({"error":"etcdserver: mvcc: database space exceeded","code":8})") ==
        Errc::exhausted);
  CHECK(kind(R"({"error":"etcdserver: no leader","code":14})") == Errc::io);
  CHECK(kind(R"({"error":"etcdserver: too many operations in txn request","code":3})") ==
        Errc::protocol);
  CHECK(kind("<html>not found</html>") == Errc::protocol);
  const Error cn = wire::error_of("op", 400, "CommonName of client sending a request", Json());
  CHECK(cn.kind() == Errc::permission_denied);
  CHECK(cn.hint.find("without a common name") != std::string::npos);
  const Error words = wire::error_of("etcd http://x/v3/kv/txn", 429, "",
                                     Json::parse(R"({"message":"too many requests","code":8})"));
  CHECK(words.message().find("too many requests") != std::string::npos);
}

}  // namespace particle::test
