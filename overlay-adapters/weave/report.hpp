// SPDX-License-Identifier: Apache-2.0
/// What Weave Net's router says of itself: GET /report with `Accept: application/json`, of its versions
/// 2.x. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <particle/ip.hpp>
#include <particle/result.hpp>

namespace particle::overlay::weave {

/// A part of the address range, and the Weave peer that gives out what is in it.
struct Share {
  std::string peer;  ///< Weave's name for it, in the form of a MAC
  std::string nickname;
  IpRange range;
};

struct Report {
  std::string own;                             ///< this node's peer name
  std::map<std::string, IpAddress> connected;  ///< by peer: those with an established connection
  std::vector<Share> shares;                   ///< empty until Weave's peers have agreed
};

/// Errors: protocol, naming what is missing.
Result<Report> parse_report(std::string_view text);

}  // namespace particle::overlay::weave
