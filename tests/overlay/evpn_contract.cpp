// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "overlay-adapters/evpn/frr_config.hpp"
#include "overlay/contract.hpp"
#include "overlay/frr_box.hpp"

namespace particle::test {
namespace {

enum class Layout : std::uint8_t { mesh, reflector };

/// FRR on every node, each a neighbour of all others or of the first, which reflects.
class EvpnBed final : public Bed {
 public:
  explicit EvpnBed(std::size_t nodes, Layout layout = Layout::mesh) : Bed("evpn", nodes) {
    for (std::size_t i = 0; i < nodes; ++i) {
      overlay::evpn::FrrConfigSpec spec;
      spec.local = Fabric::underlay_v4(i);
      spec.keepalive = layout == Layout::mesh ? 1 : 5;  // 32 daemons on one machine have less time
      if (layout == Layout::reflector && i == 0) {
        spec.reflect = *IpPrefix::parse("192.0.2.0/24");
      } else {
        for (std::size_t j = 0; j < nodes; ++j) {
          if (j != i && (layout == Layout::mesh || j == 0))
            spec.peers.push_back(Fabric::underlay_v4(j));
        }
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

TEST_CASE("overlay evpn: sixteen nodes under a route reflector find each other and each new pool") {
  if (!need_frr()) return;
  constexpr std::size_t kNodes = 16;
  EvpnBed bed(kNodes, Layout::reflector);
  for (std::size_t i = 0; i < kNodes; ++i) {
    const std::string block = "10.1." + std::to_string(i) + ".0/24";
    bed.make_pool(i, "pool", "acme", 7823, {block.c_str()});
  }
  const auto address = [](std::size_t third, unsigned last) {
    return must(IpAddress::parse("10.1." + std::to_string(third) + "." + std::to_string(last)));
  };
  const auto all_know = [&](std::size_t peers) {
    for (std::size_t i = 0; i < kNodes; ++i) {
      if (must(bed.node(i).list_peers("acme")).size() != peers) return false;
    }
    return true;
  };
  const auto patience = std::chrono::seconds(60);
  REQUIRE(bed.converges([&] { return all_know(kNodes - 1); }, patience));
  for (std::size_t i = 1; i < kNodes; ++i) {
    CHECK(bed.reaches(i, "pool", address(i, 3), i - 1, "pool", address(i - 1, 7),
                      std::chrono::seconds(2)));
  }
  bed.make_pool(7, "fresh", "acme", 7823, {"10.1.77.0/24"});
  for (std::size_t i = 0; i < kNodes; ++i) {
    if (i == 7) continue;
    CHECK(bed.converges(
        [&] {
          return bed.reaches(i, "pool", address(i, 3), 7, "fresh", address(77, 7),
                             std::chrono::milliseconds(500));
        },
        patience));
  }
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
