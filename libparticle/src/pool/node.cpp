// SPDX-License-Identifier: Apache-2.0
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>

#include "pool/node_state.hpp"

namespace particle {
namespace {

/// The first eight digits of the boot id: records of another boot describe nothing.
Result<std::string> boot_tag() {
  auto text = read_file("/proc/sys/kernel/random/boot_id");
  if (!text) return fail(std::move(text.error()));
  if (!*text || (*text)->size() < 8)
    return fail(Error::of(Errc::io, "read /proc/sys/kernel/random/boot_id", "is /proc mounted?"));
  return (*text)->substr(0, 8);
}

template <class T>
Result<std::optional<T>> load_record(const std::string& path,
                                     Result<T> (*parse)(std::string_view, const std::string&)) {
  auto text = read_file(path);
  if (!text) return fail(std::move(text.error()));
  if (!*text) return std::optional<T>{};
  auto record = parse(**text, path);
  if (!record) return fail(std::move(record.error()));
  return std::optional<T>(*std::move(record));
}

}  // namespace

std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  // Never fails for up to 256 bytes once the pool is initialized, which boot waits for.
  (void)!getrandom(&bits, sizeof bits, 0);
  return bits;
}

std::optional<Error> combine(std::vector<Error> errors, const std::string& what) {
  if (errors.empty()) return std::nullopt;
  if (errors.size() == 1) return std::move(errors.front());
  Error all = Error::of(Errc::invalid_argument,
                        what + ": " + std::to_string(errors.size()) + " things are wrong");
  for (auto& error : errors) {
    all.details.push_back(error.message());
    if (all.hint.empty()) all.hint = std::move(error.hint);
  }
  return all;
}

Node::Node(std::unique_ptr<NodeState> state) : state_(std::move(state)) {}
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(Node&&) noexcept = default;
Node::~Node() = default;

Result<Node> Node::open(const NodeOptions& options) {
  if (options.run_dir.empty() || options.run_dir.front() != '/') {
    return fail(Error::of(Errc::invalid_argument,
                          "run directory \"" + options.run_dir + "\" is not an absolute path"));
  }
  auto netns = NetNs::current();
  if (!netns) return fail(std::move(netns.error()));
  auto cookie = NetNs::current_cookie();
  if (!cookie) return fail(std::move(cookie.error()));
  auto boot = boot_tag();
  if (!boot) return fail(std::move(boot.error()));
  std::string id = *boot + "-" + std::to_string(*cookie);
  std::string run_dir = options.run_dir;
  while (run_dir.size() > 1 && run_dir.back() == '/') run_dir.pop_back();
  Layout layout(run_dir + "/node-" + id);
  return Node(std::make_unique<NodeState>(
      NodeState{std::move(run_dir), *std::move(netns), std::move(id), std::move(layout)}));
}

const std::string& Node::id() const noexcept {
  return state_->id;
}
const std::string& Node::run_dir() const noexcept {
  return state_->run_dir;
}
std::string Node::directory() const {
  return state_->layout.root();
}

Result<StoredPool> NodeState::load_pool(const std::string& name) const {
  StoredPool stored;
  struct Candidate {
    PoolPhase phase;
    std::string path;
  };
  for (const auto& [phase, path] : {Candidate{PoolPhase::ready, layout.pool_record(name)},
                                    Candidate{PoolPhase::removing, layout.pool_removing(name)},
                                    Candidate{PoolPhase::making, layout.pool_intent(name)}}) {
    auto record = load_record<PoolRecord>(path, &parse_pool_record);
    if (!record) return fail(std::move(record.error()));
    if (!*record) continue;
    if ((*record)->name != name) {
      return fail(Error::of(Errc::corrupt_state, path + " names another pool, " + (*record)->name,
                            "run `particle gc`, which removes it"));
    }
    stored.phase = phase;
    stored.record = std::move(*record);
    break;
  }
  if (stored.phase == PoolPhase::ready) {
    auto resizing = load_record<PoolRecord>(layout.pool_resize(name), &parse_pool_record);
    if (!resizing) return fail(std::move(resizing.error()));
    stored.resizing = *std::move(resizing);
  }
  return stored;
}

Result<StoredTenant> NodeState::load_tenant_record(const std::string& tenant) const {
  StoredTenant stored;
  auto record = load_record<TenantRecord>(layout.tenant_record(tenant), &parse_tenant_record);
  if (!record) return fail(std::move(record.error()));
  stored.recorded = record->has_value();
  if (!stored.recorded) {
    record = load_record<TenantRecord>(layout.tenant_intent(tenant), &parse_tenant_record);
    if (!record) return fail(std::move(record.error()));
  }
  stored.record = *std::move(record);
  return stored;
}

Result<StoredTenant> NodeState::load_tenant(const std::string& tenant) const {
  auto record = load_tenant_record(tenant);
  if (!record) return record;
  auto stored = load_tenant_rest(tenant, *std::move(record));
  if (stored && stored->unreadable_peers) return fail(*std::move(stored->unreadable_peers));
  return stored;
}

Result<StoredTenant> NodeState::load_tenant_leniently(const std::string& tenant) const {
  StoredTenant stored;
  if (auto loaded = load_tenant_record(tenant)) {
    stored = *std::move(loaded);
  } else if (loaded.error().kind() != Errc::corrupt_state) {
    return loaded;
  }
  return load_tenant_rest(tenant, std::move(stored));
}

Result<StoredTenant> NodeState::load_tenant_rest(const std::string& tenant,
                                                 StoredTenant stored) const {
  auto entries = list_directory(layout.tenant_pools(tenant));
  if (!entries) return fail(std::move(entries.error()));
  stored.entries = *std::move(entries);
  for (const auto& name : stored.entries) {
    auto pool = load_pool(name);
    if (!pool) return fail(std::move(pool.error()));
    if (pool->phase == PoolPhase::ready && pool->record->tenant == tenant)
      stored.pools.push_back(*std::move(pool->record));
  }
  auto peers = load_record<std::vector<Peer>>(layout.tenant_peers(tenant), &parse_peers);
  if (!peers && peers.error().kind() != Errc::corrupt_state) return fail(std::move(peers.error()));
  if (!peers) stored.unreadable_peers = std::move(peers.error());
  if (peers && *peers) stored.peers = **std::move(peers);
  return stored;
}

Error NodeState::no_such_pool(const std::string& name) const {
  Error error = Error::of(Errc::not_found, "no pool " + name + " on this node",
                          "`particle list-pools` shows the pools of this node (the network "
                          "namespace a command runs in)");
  auto nodes = list_directory(run_dir);
  if (!nodes) return error;
  for (const auto& other : *nodes) {
    const std::string directory = run_dir + "/" + other;
    if (directory != layout.root() && file_exists(Layout(directory).pool_record(name))) {
      error.details.push_back("another node of this run directory has one: " + directory +
                              "; run the command in that node's namespace");
    }
  }
  return error;
}

Result<PoolRecord> NodeState::require_pool(const std::string& name) const {
  if (auto ok = check_name("pool name", name); !ok) return fail(std::move(ok.error()));
  auto stored = load_pool(name);
  if (!stored) return fail(std::move(stored.error()));
  switch (stored->phase) {
    case PoolPhase::ready:
      return *std::move(stored->record);
    case PoolPhase::absent:
      break;
    case PoolPhase::making:
      return fail(
          Error::of(Errc::busy, "pool " + name + " is being made, or its create was cut off",
                    "if nobody is making it: the same create-pool again, or `particle gc`"));
    case PoolPhase::removing:
      return fail(Error::of(
          Errc::busy, "pool " + name + " is being removed, or its delete was cut off",
          "if nobody is removing it: `particle delete-pool " + name + "` again, or `particle gc`"));
  }
  return fail(no_such_pool(name));
}

Result<ObservedNamespace> NodeState::observe_pin(const std::string& pin) const {
  auto pinned = open_pinned_netns(pin);
  if (!pinned) {
    if (pinned.error().kind() == Errc::not_found) return ObservedNamespace{};
    return fail(std::move(pinned.error()));
  }
  return observe(*pinned);
}

bool NodeState::is_pinned(const std::string& pin) const {
  const auto pinned = open_pinned_netns(pin);
  return pinned || pinned.error().kind() != Errc::not_found;
}

Result<Locks> NodeState::lock(const std::string& tenant, bool create) const {
  auto node = DirLock::acquire(layout.root(), DirLock::Mode::shared, create);
  if (!node) return fail(std::move(node.error()));
  auto own = DirLock::acquire(layout.tenant(tenant), DirLock::Mode::exclusive, create);
  if (!own) {
    *node = DirLock();
    if (create) tidy_node();
    return fail(std::move(own.error()));
  }
  return Locks{*std::move(node), *std::move(own)};
}

Result<PoolLocks> NodeState::lock_pool(const std::string& name, const std::string& tenant) const {
  const auto explain = [&](Error error) {
    return error.kind() == Errc::not_found ? no_such_pool(name) : std::move(error);
  };
  auto locks = lock(tenant, false);
  if (!locks) return fail(explain(std::move(locks.error())));
  // No lease may be taken between a check of them and the end.
  auto own = DirLock::acquire(layout.pool(name), DirLock::Mode::exclusive, false);
  if (!own) return fail(explain(std::move(own.error())));
  auto stored = load_pool(name);
  if (stored && stored->record && stored->record->tenant != tenant) {
    return fail(
        Error::of(Errc::busy,
                  "pool " + name + " of tenant " + tenant +
                      " was deleted just now, and made "
                      "again by tenant " +
                      stored->record->tenant,
                  "look at it (`particle show-pool " + name + "`), then repeat the command"));
  }
  return PoolLocks{*std::move(locks), *std::move(own)};
}

void NodeState::tidy(const std::string& tenant, std::optional<Locks> locks) const {
  ::rmdir(layout.tenant_pools(tenant).c_str());
  const bool gone = ::rmdir(layout.tenant(tenant).c_str()) == 0;
  locks.reset();
  if (gone) tidy_node();
}

void NodeState::tidy_node() const {
  auto tenants = list_directory(layout.tenants());
  if (!tenants) return;
  for (const auto& tenant : *tenants) {
    // A command that was cut off before its end may have left a tenant's empty directories.
    const auto entries = list_directory(layout.tenant(tenant));
    const auto pools = list_directory(layout.tenant_pools(tenant));
    if (!entries || !pools || !pools->empty()) return;
    if (!entries->empty() && *entries != std::vector<std::string>{"pools"}) return;
  }
  auto node = DirLock::acquire(layout.root(), DirLock::Mode::exclusive, false);
  if (!node) return;
  // Whoever makes a pool holds this lock shared, so that an empty directory stays empty now.
  for (const auto& tenant : *tenants) {
    ::rmdir(layout.tenant_pools(tenant).c_str());
    ::rmdir(layout.tenant(tenant).c_str());
  }
  ::rmdir(layout.vnis().c_str());
  ::rmdir(layout.ports().c_str());
  ::rmdir(layout.pools().c_str());
  if (::rmdir(layout.tenants().c_str()) != 0 && errno != ENOENT) return;
  if (file_exists(layout.pools())) return;
  // Where descriptors are short, an empty directory goes without listing it.
  if (::rmdir(layout.root().c_str()) != 0) (void)remove_flat_directory(layout.root());
  if (run_dir == kDefaultRunDir) ::rmdir(run_dir.c_str());
}

std::vector<Neighbour> NodeState::neighbours_of(const PoolRecord& pool,
                                                const StoredTenant& tenant) {
  std::vector<Neighbour> neighbours;
  for (const auto& sibling : tenant.pools) {
    if (sibling.name != pool.name && are_connected(pool, sibling))
      neighbours.push_back(as_neighbour(sibling));
  }
  for (const auto& peer : tenant.peers) neighbours.push_back(as_neighbour(peer));
  return neighbours;
}

Result<NetNs> Node::open_pool_netns(const std::string& name) const {
  auto record = state_->require_pool(name);
  if (!record) return fail(std::move(record.error()));
  return open_pinned_netns(state_->layout.pool_pin(name));
}

Result<NetNs> Node::open_vtep_netns(const std::string& tenant) const {
  if (auto ok = check_name("tenant", tenant); !ok) return fail(std::move(ok.error()));
  auto stored = state_->load_tenant_record(tenant);
  if (!stored) return fail(std::move(stored.error()));
  return open_pinned_netns(stored->record ? vxlan_pin(state_->layout, *stored->record)
                                          : state_->layout.vtep_pin(tenant));
}

}  // namespace particle
