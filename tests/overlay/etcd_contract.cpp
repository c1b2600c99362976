// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "overlay/contract.hpp"
#include "overlay/etcd_bed.hpp"

namespace particle::test {

TEST_CASE("overlay contract: etcd") {
  if (!need_namespaces() || !need_etcd()) return;
  run_contract([](std::size_t nodes) { return std::make_unique<EtcdBed>(nodes); });
}

TEST_CASE("overlay contract: etcd with pools attached directly") {
  if (!need_namespaces() || !need_etcd()) return;
  run_contract([](std::size_t nodes) { return std::make_unique<EtcdBed>(nodes); },
               Attachment::direct);
}

}  // namespace particle::test
