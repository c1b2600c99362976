// SPDX-License-Identifier: Apache-2.0
/// ADD's result, in the version that was asked for, and the previous result that a chain passes on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "errors.hpp"
#include "netconf.hpp"
#include "version.hpp"

namespace particle::cni {

/// What Particle adds to a result: one interface with its addresses.
struct AddResult {
  struct Ip {
    IpAddress address;
    unsigned prefix_length = 0;
    std::optional<IpAddress> gateway;
  };
  struct Route {
    IpPrefix destination;
    std::optional<IpAddress> gateway;
  };
  std::string ifname;
  Mac mac;
  Mtu mtu;
  std::string sandbox;
  std::vector<Ip> ips;
  std::vector<Route> routes;
  Dns dns;
};

/// The JSON for standard output: `previous` (JSON text, or empty) with `added` appended. Fields that
/// the version does not know are left out.
/// Errors: invalid_config when `previous` is not a result.
Answer<std::string> to_text(const AddResult& added, const std::string& previous, Version version);

/// What CHECK needs of a previous result.
struct PreviousResult {
  struct Interface {
    std::string name;
    std::string mac;
    std::string sandbox;
  };
  struct Ip {
    IpAddress address;
    std::optional<std::size_t> interface;
  };
  std::vector<Interface> interfaces;
  std::vector<Ip> ips;
};
/// Errors: invalid_config.
Answer<PreviousResult> parse_previous(const std::string& text);

/// VERSION's answer, in the version of the question.
std::string versions_text(std::string_view asked);

}  // namespace particle::cni
