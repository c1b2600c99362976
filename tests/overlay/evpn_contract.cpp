// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

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
  [[nodiscard]] bool can_invent() const override { return true; }

 private:
  std::vector<std::unique_ptr<FrrBox>> boxes_;
};

}  // namespace

TEST_CASE("overlay contract: evpn") {
  if (!need_frr()) return;
  run_contract([](std::size_t nodes) { return std::make_unique<EvpnBed>(nodes); });
}

}  // namespace particle::test
