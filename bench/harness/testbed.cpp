// SPDX-License-Identifier: Apache-2.0
#include "harness/testbed.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <utility>
#include <vector>

#include <net/if.h>
#include <unistd.h>

#include <particle/addr.hpp>
#include <particle/link.hpp>

#include "harness/open_node.hpp"

namespace particle::bench {
namespace {

constexpr IfIndex kLo{1};
constexpr IfIndex kUnderlay{10};

LinkChange raise(IfIndex index) {
  LinkChange change;
  change.index = index;
  change.up = true;
  return change;
}

/// The underlay is a veth whose far end leads nowhere: nothing is sent here.
Result<void> make_underlay(Session& session) {
  VethSpec veth;
  veth.name = kUnderlayDevice;
  veth.index = kUnderlay;
  veth.peer_name = "fabric";
  veth.peer_index = IfIndex{11};
  AddrSpec address;
  address.device = kUnderlay;
  address.address = IpAddress::parse("192.0.2.1").value();
  address.prefix_length = 24;
  address.no_prefix_route = false;
  const std::array requests{encode_veth(veth), encode_link_change(raise(kLo)),
                            encode_link_change(raise(kUnderlay)),
                            encode_link_change(raise(IfIndex{11})), encode_addr(address)};
  return session.apply(requests);
}

Result<std::string> make_run_dir(const std::string& wanted) {
  int error = 0;
  const std::vector<std::string> parents =
      wanted.empty() ? std::vector<std::string>{"/dev/shm", "/run", "/tmp"} : std::vector{wanted};
  for (const auto& parent : parents) {
    std::string path = parent + "/particle-bench.XXXXXX";
    if (mkdtemp(path.data()) != nullptr) return path;
    error = errno;
  }
  return fail(Error::from_errno(error, "make a run directory"));
}

}  // namespace

Testbed::Testbed(NetNs netns, Session session, NetNs observer, Node node, std::string run_dir)
    : netns_(std::move(netns)),
      session_(std::move(session)),
      observer_(std::move(observer)),
      node_(std::move(node)),
      run_dir_(std::move(run_dir)) {}

Testbed::Testbed(Testbed&& other) noexcept
    : netns_(std::move(other.netns_)),
      session_(std::move(other.session_)),
      observer_(std::move(other.observer_)),
      node_(std::move(other.node_)),
      run_dir_(std::exchange(other.run_dir_, {})),
      keeper_(std::move(other.keeper_)),
      kept_(std::move(other.kept_)) {}

Testbed::~Testbed() {
  if (run_dir_.empty()) return;
  kept_.clear();
  if (auto pools = node_.list_pools()) {
    for (const auto& pool : *pools) (void)!node_.delete_pool(pool.name, true);
  }
  std::error_code ignored;
  std::filesystem::remove_all(run_dir_, ignored);
}

Result<Testbed> Testbed::make(const std::string& parent) {
  auto fresh = create_netns();
  if (!fresh) return fail(std::move(fresh.error()));
  auto observer = create_netns();
  if (!observer) return fail(std::move(observer.error()));
  if (auto done = make_underlay(fresh->session); !done) return fail(std::move(done.error()));
  auto run_dir = make_run_dir(parent);
  if (!run_dir) return fail(std::move(run_dir.error()));
  auto node = open_node(fresh->netns, *run_dir);
  if (!node) return fail(std::move(node.error()));
  Testbed made(std::move(fresh->netns), std::move(observer->session), std::move(observer->netns),
               std::move(*node), std::move(*run_dir));
  auto keeper = made.node_.create_pool(spec_of("keeper", 1, AddressMode::anyip, 255));
  if (!keeper) return fail(std::move(keeper.error()));
  made.keeper_ = std::move(keeper->pool);
  return made;
}

Result<std::string> Testbed::plant_sensor(const NetNs& netns) const {
  static unsigned next = 0;
  VethSpec veth;
  veth.name = "sensor" + std::to_string(next++);
  veth.peer_name = "sensor";
  veth.peer_netns_fd = netns.fd();
  if (auto done = session_.apply(encode_veth(veth)); !done) return fail(std::move(done.error()));
  return veth.name;
}

Result<void> Testbed::wait_for_end_of(const std::string& sensor) const {
  constexpr std::chrono::minutes kPatience{1};
  const auto deadline = Clock::now() + kPatience;
  return observer_.run([&]() -> Result<void> {
    while (if_nametoindex(sensor.c_str()) != 0) {
      if (Clock::now() > deadline) return fail(Error::of(Errc::busy, "the kernel's clean-up"));
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    return {};
  });
}

Result<void> Testbed::wait_until_gone() const {
  // The kernel takes namespaces apart in the order in which they were given up.
  std::string sensor;
  {
    auto canary = create_netns();
    if (!canary) return fail(std::move(canary.error()));
    auto planted = plant_sensor(canary->netns);
    if (!planted) return fail(std::move(planted.error()));
    sensor = *planted;
  }
  return wait_for_end_of(sensor);
}

Result<void> Testbed::settle() const {
  if (auto done = wait_until_gone(); !done) return done;
  // Devices go first; freeing the rest still slows down the next unshare for about 10 ms.
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  return {};
}

PoolSpec spec_of(const std::string& name, std::uint64_t count, AddressMode mode, unsigned part) {
  PoolSpec spec;
  spec.name = name;
  spec.tenant = kTenant;
  spec.vni = Vni::from(kVni).value();
  const auto base = IpAddress::parse("10.0.0.0").value();
  spec.blocks.push_back(
      {IpPrefix::containing(base.plus(std::uint64_t{part} << 16U).value(), 16), {}});
  spec.count = count;
  spec.mode = mode;
  spec.isolation = Isolation::job;
  spec.underlay.device = kUnderlayDevice;
  return spec;
}

Result<double> timed_create(const Node& node, const PoolSpec& spec) {
  const auto start = Clock::now();
  auto created = node.create_pool(spec);
  const auto took = Clock::now() - start;
  if (!created) return fail(std::move(created.error()));
  return to_ms(took);
}

Result<double> timed_delete(const Node& node, const std::string& name) {
  const auto start = Clock::now();
  auto deleted = node.delete_pool(name, true);
  const auto took = Clock::now() - start;
  if (!deleted) return fail(std::move(deleted.error()));
  return to_ms(took);
}

}  // namespace particle::bench
