// SPDX-License-Identifier: Apache-2.0
#include "etcd/directory.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace particle::overlay {
namespace {

using Json = nlohmann::json;

std::string text_of(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Two networks of one family overlap when the one that begins later begins in the other. Blocks are
/// disjoint, so that only those around the prefix's begin can overlap it.
const BlockEntry* overlapping(const std::map<IpAddress, BlockEntry>& blocks, const IpPrefix& prefix,
                              const std::string& not_of) {
  auto at = blocks.upper_bound(prefix.network());
  if (at != blocks.begin()) --at;
  for (; at != blocks.end() && at->first <= prefix.last(); ++at) {
    if (at->second.prefix.overlaps(prefix) && at->second.node != not_of) return &at->second;
  }
  return nullptr;
}

Result<Announcement> read_announcement(const KeyValue& entry, const std::string& node,
                                       const std::string& pool) {
  auto read = parse_announcement(entry.value, "etcd key " + entry.key);
  if (!read) return read;
  if (read->node == node && read->pool == pool) return read;
  return fail(Error::of(Errc::conflict,
                        "etcd key " + entry.key + " holds the announcement of " + describe(*read)));
}

}  // namespace

void Directory::put(const KeyValue& entry) {
  const auto parts = keys_.split(entry.key);
  if (!parts) return;
  if (parts->kind == "pools") {
    pools_.insert_or_assign(PoolKey{parts->first, parts->rest},
                            PoolEntry{entry.created, entry.modified, entry.lease, entry.value,
                                      read_announcement(entry, parts->first, parts->rest)});
  } else if (parts->kind == "nodes") {
    const Json json = Json::parse(entry.value, nullptr, false);
    nodes_.insert_or_assign(parts->first,
                            NodeEntry{text_of(json, "node_id"), entry.modified, entry.lease});
  } else if (parts->kind == "blocks") {
    put_block(parts->first, entry, parts->rest);
  } else {
    put_number(entry, *parts);
  }
}

void Directory::put_block(const std::string& tenant, const KeyValue& entry,
                          const std::string& prefix) {
  const Json json = Json::parse(entry.value, nullptr, false);
  const auto parsed = IpPrefix::parse(prefix);
  if (!parsed) return;  // nobody could announce it either
  blocks_[tenant].insert_or_assign(
      parsed->network(), BlockEntry{*parsed, text_of(json, "node"), text_of(json, "pool")});
}

void Directory::put_number(const KeyValue& entry, const EtcdKeys::Parts& parts) {
  const Json json = Json::parse(entry.value, nullptr, false);
  if (parts.kind == "vnis") {
    const auto vni = Vni::parse(parts.first);
    if (vni) vnis_.insert_or_assign(*vni, text_of(json, "tenant"));
  } else if (parts.kind == "tenants" && json.is_object() && json.contains("vni") &&
             json["vni"].is_number_unsigned()) {
    const auto vni = Vni::from(json["vni"].get<std::uint64_t>());
    if (vni) tenants_.insert_or_assign(parts.first, *vni);
  }
}

void Directory::erase(const std::string& key) {
  const auto parts = keys_.split(key);
  if (!parts) return;
  if (parts->kind == "pools") {
    pools_.erase(PoolKey{parts->first, parts->rest});
  } else if (parts->kind == "nodes") {
    nodes_.erase(parts->first);
  } else if (parts->kind == "tenants") {
    tenants_.erase(parts->first);
  } else if (const auto vni = Vni::parse(parts->first); parts->kind == "vnis" && vni) {
    vnis_.erase(*vni);
  } else if (const auto prefix = IpPrefix::parse(parts->rest); parts->kind == "blocks" && prefix) {
    const auto tenant = blocks_.find(parts->first);
    if (tenant != blocks_.end()) tenant->second.erase(prefix->network());
  }
}

const NodeEntry* Directory::find_node(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::map<IpAddress, BlockEntry> Directory::blocks(const std::string& tenant) const {
  const auto found = blocks_.find(tenant);
  return found == blocks_.end() ? std::map<IpAddress, BlockEntry>{} : found->second;
}

namespace {

/// Who has which VNI: those that were allocated first, then the eldest announcement's tenant.
class VniOwners {
 public:
  explicit VniOwners(std::map<Vni, std::string> allocated) : owners_(std::move(allocated)) {}
  /// The other tenant that has this VNI; nothing when it is `tenant`'s, now if not before.
  std::optional<std::string> other(Vni vni, const std::string& tenant) {
    const auto& owner = owners_.try_emplace(vni, tenant).first->second;
    if (owner == tenant) return std::nullopt;
    return owner;
  }

 private:
  std::map<Vni, std::string> owners_;
};

}  // namespace

Directory::Verdict Directory::judge(const std::string& node, bool mine) const {
  Verdict out;
  VniOwners vnis(vnis_);
  std::vector<const PoolEntry*> by_age;
  for (const auto& [key, entry] : pools_) {
    if (entry.announcement) {
      by_age.push_back(&entry);
    } else if (!mine || key.first != node) {
      out.problems.push_back(entry.announcement.error().message());
    }
  }
  std::stable_sort(by_age.begin(), by_age.end(),
                   [](const PoolEntry* a, const PoolEntry* b) { return a->created < b->created; });
  for (const PoolEntry* entry : by_age) {
    const Announcement& one = *entry->announcement;
    const bool own = mine && one.node == node;
    const std::string what = own ? "pool " + one.pool + " of this node" : describe(one);
    const std::string then = own ? ": the other nodes refuse it" : ": refused";
    if (const auto other = vnis.other(one.vni, one.peer.tenant)) {
      out.problems.push_back(what + " has VNI " + std::to_string(one.vni.value()) +
                             ", which is that of tenant " + *other + ", not " + one.peer.tenant +
                             then);
      continue;
    }
    const auto blocks = blocks_.find(one.peer.tenant);
    const BlockEntry* stolen = nullptr;
    for (const IpPrefix& prefix : one.peer.prefixes) {
      if (blocks != blocks_.end() && stolen == nullptr)
        stolen = overlapping(blocks->second, prefix, one.node);
    }
    if (stolen != nullptr) {
      out.problems.push_back(what + " announces addresses of " + stolen->prefix.to_string() +
                             ", which is allocated to node " + stolen->node + then);
      continue;
    }
    if (!own) out.announcements.push_back(one);
  }
  return out;
}

std::string node_value(const std::string& node_id) {
  return Json{{"node_id", node_id}}.dump();
}
std::string tenant_value(Vni vni) {
  return Json{{"vni", vni.value()}}.dump();
}
std::string vni_value(const std::string& tenant) {
  return Json{{"tenant", tenant}}.dump();
}
std::string block_value(const std::string& node, const std::string& pool) {
  return Json{{"node", node}, {"pool", pool}}.dump();
}

}  // namespace particle::overlay
