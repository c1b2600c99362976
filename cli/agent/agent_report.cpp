// SPDX-License-Identifier: Apache-2.0
#include "agent/agent_report.hpp"

#include <numeric>
#include <string>
#include <vector>

#include "json.hpp"
#include "node_access.hpp"
#include "output.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

using overlay::Reconciled;
using overlay::TenantDifference;

template <class Member>
std::vector<Peer> all_of(const Reconciled& done, Member member) {
  std::vector<Peer> peers;
  for (const TenantDifference& tenant : done.difference.tenants) {
    peers.insert(peers.end(), (tenant.*member).begin(), (tenant.*member).end());
  }
  return peers;
}

Json peers_to_json(const std::vector<Peer>& peers) {
  Json list = Json::array();
  for (const Peer& peer : peers) {
    list.push_back(peer_to_json(peer));
  }
  return list;
}

std::size_t count_peers(const Reconciled& done) {
  std::size_t count = 0;
  for (const auto& [tenant, peers] : done.difference.peers) {
    count += peers;
  }
  return count;
}

void print_as_json(const AgentRequest& request, const Reconciled& done,
                   const overlay::Health& health) {
  Json refused = Json::array();
  for (const overlay::Refusal& refusal : done.difference.refused) {
    refused.push_back(
        {{"announcement", Json::parse(to_json(refusal.announcement))}, {"reason", refusal.reason}});
  }
  Json errors = Json::array();
  for (const Error& error : done.errors) {
    errors.push_back(error.message());
  }
  print_json({{"overlay", request.overlay},
              {"node", request.node},
              {"changed", done.changed()},
              {"peers", count_peers(done)},
              {"added", peers_to_json(all_of(done, &TenantDifference::added))},
              {"removed", peers_to_json(all_of(done, &TenantDifference::removed))},
              {"restored", peers_to_json(all_of(done, &TenantDifference::damaged))},
              {"refused", refused},
              {"warnings", done.difference.warnings},
              {"errors", errors},
              {"health", {{"state", to_string(health.state)}, {"problems", health.problems}}}});
}

void print_peers(const std::string& verb, const std::vector<Peer>& peers) {
  for (const Peer& peer : peers) {
    print(verb + " peer " + peer.vtep.to_string() + " of tenant " + peer.tenant + ": " +
          prefixes_to_text(peer.prefixes) + "\n");
  }
}

}  // namespace

void print_reconciled(const Context& context, const AgentRequest& request, const Reconciled& done,
                      const overlay::Health& health) {
  if (context.json) {
    print_as_json(request, done, health);
    return;
  }
  print_peers("removed", all_of(done, &TenantDifference::removed));
  print_peers("added", all_of(done, &TenantDifference::added));
  print_peers("restored", all_of(done, &TenantDifference::damaged));
  for (const overlay::Refusal& refusal : done.difference.refused) {
    print_warning(context, "refused " + describe(refusal.announcement) + ": " + refusal.reason);
  }
  for (const std::string& warning : done.difference.warnings) {
    print_warning(context, warning);
  }
  for (const Error& error : done.errors) {
    print_warning(context, error.message());
  }
  for (const std::string& problem : health.problems) {
    print_warning(context, "overlay " + request.overlay + ": " + problem);
  }
  print("overlay " + request.overlay + ": " + counted(count_peers(done), "peer") +
        (done.changed() ? "\n" : ", nothing had to be changed\n"));
}

void print_forgotten(const Context& context, const AgentRequest& request, std::size_t count) {
  if (context.json) {
    print_json({{"overlay", request.overlay}, {"changed", count > 0}, {"forgotten", count}});
  } else {
    print("overlay " + request.overlay + ": " + counted(count, "peer") + " forgotten\n");
  }
}

}  // namespace particle::cli
