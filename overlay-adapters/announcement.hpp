// SPDX-License-Identifier: Apache-2.0
/// What nodes tell each other about their pools, as a value and as JSON.
///
///     {"node": "a", "pool": "job", "tenant": "acme", "vni": 42, "vtep": "192.0.2.1",
///      "mac": "02:5e:10:00:00:01", "prefixes": ["10.1.0.0/24"], "mtu": 1450}
///
/// `particle show-pool NAME --json` is a superset of it (there the pool is called `name`), so that its
/// output can be used wherever an announcement is read. Pure: no function here looks at the machine.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/peer.hpp>
#include <particle/pool.hpp>
#include <particle/result.hpp>
#include <particle/types.hpp>

namespace particle::overlay {

/// One pool of one node: enough for every other node to reach it.
struct Announcement {
  std::string node;        ///< the node's name in the cluster; empty when the source does not say
  std::string pool;        ///< unique on that node; empty when the source does not say
  Vni vni;                 ///< the tenant's
  std::optional<Mtu> mtu;  ///< the pool's; unset when the source does not say
  Peer peer;               ///< tenant, underlay address, MAC, prefixes; `owner` is empty
  friend bool operator==(const Announcement&, const Announcement&) = default;
};

/// What this node announces of one of its own pools.
Announcement announcement_of(const std::string& node, const PoolInfo& pool);

/// "pool job of node b (192.0.2.2)", for messages.
std::string describe(const Announcement& announcement);

/// Everything that is wrong with it; empty when it is valid.
std::vector<Error> check(const Announcement& announcement);

/// One JSON object on one line.
std::string to_json(const Announcement& announcement);

/// Reads one object. `source` names it in errors: "peers.json, entry 3".
/// Errors: invalid_argument, with every missing, wrong or unknown field in details.
Result<Announcement> parse_announcement(std::string_view text, const std::string& source);

/// Reads a list: an array of objects, an object whose `peers` is one, or a single object.
/// Errors: invalid_argument, with the faults of every entry in details.
Result<std::vector<Announcement>> parse_announcements(std::string_view text,
                                                      const std::string& source);

}  // namespace particle::overlay
