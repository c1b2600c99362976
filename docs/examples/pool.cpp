// SPDX-License-Identifier: Apache-2.0
// A pool in process: make it, lease an endpoint, run something inside, give everything back.
// Needs CAP_NET_ADMIN and CAP_SYS_ADMIN; `unshare --user --map-root-user --net --mount` gives both.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <particle/node.hpp>

namespace {

int report(const particle::Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "hint: %s\n", error.hint.c_str());
  return EXIT_FAILURE;
}

/// The underlay of this example is lo: a pool for this node alone.
particle::Result<void> raise_loopback() {
  auto session = particle::Session::open();
  if (!session) return particle::fail(session.error());
  particle::LinkChange up;
  up.name = "lo";
  up.up = true;
  return session->apply(particle::encode_link_change(up));
}

particle::Result<particle::PoolSpec> spec() {
  auto vni = particle::Vni::from(42);
  if (!vni) return particle::fail(vni.error());
  auto prefix = particle::IpPrefix::parse("10.1.0.0/24");
  if (!prefix) return particle::fail(prefix.error());
  particle::PoolSpec pool;
  pool.name = "example";
  pool.tenant = "acme";
  pool.vni = *vni;
  pool.blocks.push_back({*prefix, {}});
  pool.underlay.device = "lo";
  return pool;
}

particle::Result<void> use(const particle::Node& node) {
  auto wanted = spec();
  if (!wanted) return particle::fail(wanted.error());
  auto created = node.create_pool(*wanted);
  if (!created) return particle::fail(created.error());
  for (const auto& step : created->outcome.steps)
    std::printf("%-20s %8.3f ms\n", step.name.c_str(),
                std::chrono::duration<double, std::milli>(step.took).count());

  particle::LeaseRequest request;
  request.pool = wanted->name;
  request.holder = "container-1";
  auto leases = node.lease(request);
  if (!leases) return particle::fail(leases.error());
  std::printf("leased %s, namespace %s\n", leases->front().endpoint.to_string().c_str(),
              leases->front().netns_path.c_str());

  if (auto released = node.release(wanted->name, request.holder); !released)
    return particle::fail(released.error());
  auto removed = node.delete_pool(wanted->name);
  if (!removed) return particle::fail(removed.error());
  return {};
}

}  // namespace

int main() {
  if (auto up = raise_loopback(); !up) return report(up.error());
  std::string run_dir =
      std::filesystem::temp_directory_path().string() + "/particle-example-XXXXXX";
  if (mkdtemp(run_dir.data()) == nullptr) return EXIT_FAILURE;
  auto node = particle::Node::open({run_dir});
  auto done = node ? use(*node) : particle::Result<void>(particle::fail(node.error()));
  std::filesystem::remove(run_dir);
  return done ? EXIT_SUCCESS : report(done.error());
}
