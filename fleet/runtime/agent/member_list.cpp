// SPDX-License-Identifier: Apache-2.0
#include "agent/member_list.hpp"

#include <particle/pool.hpp>

#include "model/faults.hpp"
#include "model/object_reader.hpp"
#include "wire/address.hpp"

namespace particle::fleet {

std::string MemberEntry::to_text() const {
  return dump({{"address", address}, {"owner", owner}});
}

std::optional<MemberEntry> MemberEntry::parse(std::string_view text) {
  const auto value = parse_json(text, "entry");
  if (!value) return std::nullopt;
  Faults faults;
  ObjectReader reader(*value, "", faults);
  MemberEntry out;
  reader.need_text("address", out.address);
  reader.need_text("owner", out.owner);
  // Keys that are not known are a later version's.
  if (!faults.none() || !TcpAddress::parse(out.address)) return std::nullopt;
  return out;
}

std::optional<std::string> MemberList::put(const std::string& name, std::string_view text) {
  const auto entry = MemberEntry::parse(text);
  if (entry && check_name("node name", name)) {
    members_.insert_or_assign(name, Member{entry->address, std::nullopt});
    return std::nullopt;
  }
  members_.erase(name);
  return "the entry of node " + in_quotes(name) + " is none: " + in_quotes(text);
}

void MemberList::replace(const std::map<std::string, std::string>& entries,
                         std::optional<Time> until) {
  for (auto one = members_.begin(); one != members_.end();) {
    if (!entries.contains(one->first) && !until) {
      one = members_.erase(one);
      continue;
    }
    if (!one->second.until) one->second.until = until;
    ++one;
  }
  for (const auto& [name, text] : entries) static_cast<void>(put(name, text));
}

std::vector<AgentPeer> MemberList::peers(Time now) const {
  std::vector<AgentPeer> out;
  for (const auto& [name, member] : members_) {
    if (!member.until || now < *member.until) out.push_back({name, member.address});
  }
  return out;
}

}  // namespace particle::fleet
