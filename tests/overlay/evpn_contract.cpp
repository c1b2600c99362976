// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "overlay-adapters/evpn/frr_config.hpp"
#include "overlay/contract.hpp"
#include "overlay/frr_box.hpp"

namespace particle::test {
namespace {

/// FRR on every node, each a neighbour of all others.
class EvpnBed final : public Bed {
 public:
  explicit EvpnBed(std::size_t nodes) : Bed("evpn", nodes) {
    for (std::size_t i = 0; i < nodes; ++i) {
      overlay::evpn::FrrConfigSpec spec;
      spec.local = Fabric::underlay_v4(i);
      spec.keepalive = 1;
      for (std::size_t j = 0; j < nodes; ++j) {
        if (j != i) spec.peers.push_back(Fabric::underlay_v4(j));
      }
      boxes_.push_back(std::make_unique<FrrBox>(netns(i), directory() + "/frr" + std::to_string(i),
                                                overlay::evpn::frr_config(spec)));
    }
  }

  [[nodiscard]] std::map<std::string, std::string> settings(std::size_t node) override {
    return {{"evpn-vtysh", boxes_.at(node)->vtysh()},
            {"evpn-vty-sockets", boxes_.at(node)->sockets()},
            {"evpn-grace", "2"}};
  }
  void lose() override {
    for (const auto& box : boxes_) box->stop_bgpd();
  }
  void regain() override {
    for (const auto& box : boxes_) box->start_bgpd();
  }

 private:
  std::vector<std::unique_ptr<FrrBox>> boxes_;
};

}  // namespace

TEST_CASE("overlay contract: evpn") {
  if (!need_frr()) return;
  run_contract([](std::size_t nodes) { return std::make_unique<EvpnBed>(nodes); });
}

TEST_CASE("overlay evpn: attachment direct is refused with the reason") {
  if (!need_namespaces()) return;
  auto adapter = must(overlay::make_adapter("evpn", {.node = "a", .node_id = "a", .settings = {}}));
  overlay::Vtep vtep;
  vtep.tenant = "acme";
  vtep.vni = must(Vni::from(7822));
  vtep.address = must(IpAddress::parse("192.0.2.1"));
  vtep.vxlan = "eth0";
  const auto refused = adapter->attach(vtep);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind() == Errc::unsupported);
  CHECK(refused.error().message().find("attachment direct") != std::string::npos);
  CHECK(refused.error().hint.find("--attach veth") != std::string::npos);
}

TEST_CASE("overlay evpn: two nodes that announce the same addresses are told of it") {
  if (!need_frr()) return;
  EvpnBed bed(3);
  bed.make_pool(0, "a", "acme", 7821, {"10.1.0.0/24"});
  bed.make_pool(1, "b", "acme", 7821, {"10.1.1.0/24"});
  bed.make_pool(2, "c", "acme", 7821, {"10.1.1.0/24"});
  const auto complains = [&](std::size_t node) {
    (void)bed.adapter(node).view();
    const overlay::Health health = bed.adapter(node).health();
    return health.state == overlay::HealthState::degraded &&
           std::any_of(health.problems.begin(), health.problems.end(), [](const std::string& line) {
             return line.find("announces 10.1.1.") != std::string::npos;
           });
  };
  CHECK(bed.converges([&] { return complains(1) || complains(2); }));
  // Whoever has it, node 0 sends to one of them.
  CHECK(bed.converges([&] { return must(bed.node(0).list_peers("acme")).size() == 1; }));
  // And once one of them is gone the other is reached, whichever BGP had preferred.
  bed.delete_pool(2, "c");
  const IpAddress from = must(IpAddress::parse("10.1.0.7"));
  const IpAddress to = must(IpAddress::parse("10.1.1.7"));
  CHECK(bed.converges(
      [&] { return bed.reaches(0, "a", from, 1, "b", to, std::chrono::milliseconds(500)); }));
}

}  // namespace particle::test
