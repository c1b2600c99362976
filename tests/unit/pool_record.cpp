// SPDX-License-Identifier: Apache-2.0
// Records as JSON: what is written reads back; what a hostile hand or a cut-off disk left is
// refused.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "addresses.hpp"
#include "pool/record.hpp"

namespace particle {
namespace {

using nlohmann::json;

PoolRecord pool_record() {
  PoolRecord record;
  record.name = "pool";
  record.id = 0xfedcba9876543210U;
  record.tenant = "acme";
  record.vni = *Vni::from(16777215);
  record.capacity = 10;
  record.count_given = true;
  for (const auto& [prefix, range] : {std::pair{"10.1.0.0/24", "10.1.0.10-10.1.0.19"},
                                      std::pair{"fd00:1::/64", "fd00:1::10-fd00:1::20"}}) {
    record.blocks.push_back(make_endpoint_block({net(prefix), *IpRange::parse(range)}, 10));
  }
  record.mode = AddressMode::secondary;
  record.mode_reason = "asked for";
  record.isolation = Isolation::container;
  record.mac = *Mac::parse("02:00:00:00:00:07");
  record.mtu = *Mtu::from(1450);
  record.port = "pool-k3f9x";
  record.port_index = IfIndex{0x10007};
  record.cooldown = std::chrono::milliseconds(1500);
  return record;
}

TenantRecord whole_tenant_record() {
  return {.tenant = "acme",
          .vni = *Vni::from(42),
          .vtep = ip("2001:db8::1"),
          .underlay_device = "eth0",
          .bound_device = IfIndex{2},
          .mtu = *Mtu::from(1430),
          .direct = std::nullopt};
}

std::vector<Peer> peers() {
  return {{"acme", ip("192.0.2.2"), *Mac::parse("02:00:00:00:00:08"), {net("10.2.0.0/24")}},
          {"acme", ip("192.0.2.3"), *Mac::parse("02:00:00:00:00:09"), {net("fd00:3::/64")}}};
}

Errc pool_refusal(const json& document) {
  const auto parsed = parse_pool_record(document.dump(), "/run/p/pool.json");
  REQUIRE_FALSE(parsed.has_value());
  CHECK(parsed.error().operation.find("/run/p/pool.json") == 0);
  return parsed.error().kind();
}

}  // namespace

TEST_CASE("record: a pool reads back as it was written") {
  const PoolRecord record = pool_record();
  const auto again = parse_pool_record(to_text(record), "x");
  REQUIRE(again.has_value());
  CHECK(to_text(*again) == to_text(record));
  CHECK(again->blocks == record.blocks);
  CHECK(again->capacity == 10);
  CHECK(again->mac == record.mac);
  CHECK(again->port_index == record.port_index);
  CHECK(again->cooldown == record.cooldown);
  CHECK(again->isolation == Isolation::container);
}

TEST_CASE(
    "record: attachment, egress and published ports read back, records without them are older") {
  const PoolRecord old = pool_record();
  CHECK_FALSE(json::parse(to_text(old)).contains("attachment"));
  const auto read = parse_pool_record(to_text(old), "x");
  REQUIRE(read.has_value());
  CHECK(read->attachment == Attachment::veth);
  CHECK(read->egress == Egress::none);
  CHECK(read->published.empty());
  PoolRecord direct = old;
  direct.attachment = Attachment::direct;
  direct.port.clear();
  direct.port_index = {};
  const auto again = parse_pool_record(to_text(direct), "x");
  REQUIRE(again.has_value());
  CHECK(again->attachment == Attachment::direct);
  CHECK(again->port.empty());
  PoolRecord open = old;
  open.egress = Egress::routed;
  open.published = {PublishedPort::parse("80:10.1.0.10:8080/tcp").value(),
                    PublishedPort::parse("53:[fd00:1::10]:53/udp").value()};
  CHECK(parse_pool_record(to_text(open), "x")->published == open.published);
  CHECK(parse_pool_record(to_text(open), "x")->egress == Egress::routed);
  json wrong = json::parse(to_text(open));
  wrong["published"] = {"80"};
  CHECK(pool_refusal(wrong) == Errc::corrupt_state);
  wrong = json::parse(to_text(open));
  wrong["attachment"] = "glue";
  CHECK(pool_refusal(wrong) == Errc::corrupt_state);
  TenantRecord tenant = whole_tenant_record();
  tenant.direct = "pool";
  CHECK(parse_tenant_record(to_text(tenant), "x")->direct == "pool");
  CHECK_FALSE(parse_tenant_record(to_text(whole_tenant_record()), "x")->direct.has_value());
}

TEST_CASE("record: a tenant reads back as it was written, bound or not") {
  TenantRecord record = whole_tenant_record();
  CHECK(parse_tenant_record(to_text(record), "x")->bound_device == IfIndex{2});
  CHECK(to_text(*parse_tenant_record(to_text(record), "x")) == to_text(record));
  record.bound_device.reset();
  CHECK_FALSE(parse_tenant_record(to_text(record), "x")->bound_device.has_value());
}

TEST_CASE("record: peers read back as they were written") {
  CHECK(parse_peers(to_text(peers()), "x").value() == peers());
  CHECK(parse_peers(to_text(std::vector<Peer>{}), "x")->empty());
}

TEST_CASE("record: a device name that is no text does not throw") {
  TenantRecord record = whole_tenant_record();
  record.underlay_device = "e\xff\xfe";
  CHECK_NOTHROW((void)to_text(record));
}

TEST_CASE("record: truncated at any byte it is corrupt, or all there") {
  for (const std::string& text :
       {to_text(pool_record()), to_text(whole_tenant_record()), to_text(peers())}) {
    for (std::size_t size = 0; size + 2 < text.size(); ++size) {
      const std::string cut = text.substr(0, size);
      CHECK(parse_pool_record(cut, "x").error().kind() == Errc::corrupt_state);
      CHECK(parse_tenant_record(cut, "x").error().kind() == Errc::corrupt_state);
      CHECK(parse_peers(cut, "x").error().kind() == Errc::corrupt_state);
    }
  }
}

TEST_CASE("record: a field that is missing or of another type is corrupt") {
  const json pool = json::parse(to_text(pool_record()));
  for (const auto& [key, value] : pool.items()) {
    CAPTURE(key);
    json without = pool;
    without.erase(key);
    // Records are older than their ids.
    if (key == "id") CHECK(parse_pool_record(without.dump(), "x")->id == 0);
    if (key != "id") CHECK(pool_refusal(without) == Errc::corrupt_state);
    for (const json& wrong : {json(nullptr), json(-1), json(1.5), json::array(), json::object()}) {
      json changed = pool;
      changed[key] = wrong;
      CHECK(pool_refusal(changed) == Errc::corrupt_state);
    }
  }
  const json tenant = json::parse(to_text(whole_tenant_record()));
  for (const auto& [key, value] : tenant.items()) {
    CAPTURE(key);
    for (const json& wrong : {json(nullptr), json(-1), json::array(), json::object()}) {
      json changed = tenant;
      changed[key] = wrong;
      CHECK(parse_tenant_record(changed.dump(), "x").error().kind() == Errc::corrupt_state);
    }
  }
  const json list = json::parse(to_text(peers()));
  for (const auto& [key, value] : list["peers"][0].items()) {
    CAPTURE(key);
    for (const json& wrong : {json(nullptr), json(7), json(true), json("x y"), json::object(),
                              json(std::vector<int>{1})}) {
      json changed = list;
      changed["peers"][0][key] = wrong;
      CHECK(parse_peers(changed.dump(), "x").error().kind() == Errc::corrupt_state);
    }
  }
}

TEST_CASE("record: values that no record of ours has are corrupt") {
  const auto changed = [](const char* key, const json& value) {
    json document = json::parse(to_text(pool_record()));
    document[key] = value;
    return document;
  };
  const json blocks = json::parse(to_text(pool_record()))["blocks"];
  for (const auto& document :
       {changed("name", "../other"),
        changed("name", ""),
        changed("tenant", "a/b"),
        changed("port", "a/b"),
        changed("vni", 0),
        changed("vni", 16777216),
        changed("mtu", 67),
        changed("mac", "01:00:00:00:00:00"),
        changed("mode", "auto"),
        changed("mode", "other"),
        changed("isolation", "other"),
        changed("capacity", 0),
        changed("capacity", 11),
        changed("capacity", 18446744073709551615U),
        changed("port_index", 4294967296U),
        changed("cooldown_ms", 18446744073709551615U),
        changed("blocks", json::array()),
        changed("blocks", {blocks[0], blocks[0]}),
        changed("blocks", {blocks[0], blocks[1], blocks[0]}),
        changed("blocks", {{{"prefix", "10.1.0.1/24"}}}),
        changed("blocks", {{{"prefix", "10.1.0.0/24"}, {"range", "10.2.0.1"}}})}) {
    CAPTURE(document.dump());
    CHECK(pool_refusal(document) == Errc::corrupt_state);
  }
}

TEST_CASE("record: one of a newer version is refused by that name, not guessed at") {
  for (std::string text :
       {to_text(pool_record()), to_text(whole_tenant_record()), to_text(peers())}) {
    json document = json::parse(text);
    document["version"] = 2;
    text = document.dump();
    CHECK(parse_pool_record(text, "x").error().message().find("version 2, newer") !=
          std::string::npos);
    CHECK(parse_tenant_record(text, "x").error().kind() == Errc::corrupt_state);
    CHECK(parse_peers(text, "x").error().kind() == Errc::corrupt_state);
  }
}

TEST_CASE("record: nesting as deep as you like is refused without an overflow") {
  const std::string deep = std::string(200000, '[');
  CHECK(parse_peers("{\"version\":1,\"peers\":" + deep, "x").error().kind() == Errc::corrupt_state);
}

}  // namespace particle
