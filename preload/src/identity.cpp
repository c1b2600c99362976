// SPDX-License-Identifier: Apache-2.0
// Between libparticle's values and the policy's words.
#include <algorithm>
#include <array>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "bpf/events.h"
#include "src/guard.hpp"

namespace particle::bind {
namespace {

constexpr std::array<const char*, PB_ROW_COUNT> kRowText = {
    "as it is",
    "any address becomes the endpoint's",
    "any address of both families becomes the endpoint's",
    "any IPv6 address becomes the endpoint's",
    "the endpoint's own address",
    "not the endpoint's address",
    "loopback becomes the endpoint's own",
    "IPv6 loopback becomes the endpoint's own",
    "allowed by --group",
    "a multicast or broadcast address that --group does not allow",
    "listening on no address becomes the endpoint's",
    "loopback is the endpoint's own",
    "the source becomes the endpoint's address",
    "the endpoint has no address of this family",
    "the source is not the endpoint's address",
    "raw, ping and packet sockets see other endpoints' packets",
    "this mechanism cannot keep the protocol to an address",
    "the process belongs to no endpoint",
};
constexpr std::array<const char*, 6> kOperationText = {"?",    "bind",   "connect",
                                                       "send", "socket", "listen"};

void copy_bytes(const IpAddress& address, void* to) {
  const auto bytes = address.bytes();
  std::memcpy(to, bytes.data(), bytes.size());
}

pb_prefix to_prefix(const IpPrefix& prefix) {
  pb_prefix out = {};
  if (prefix.family() == Family::v4) {
    unsigned v4 = 0;
    copy_bytes(prefix.network(), &v4);
    pb_map(out.address, v4);
    out.length = 96 + prefix.length();
  } else {
    copy_bytes(prefix.network(), out.address);
    out.length = prefix.length();
  }
  return out;
}

unsigned mode_of(Policy policy) {
  switch (policy) {
    case Policy::strict:
      return PB_STRICT;
    case Policy::audit:
      return PB_AUDIT;
    case Policy::rewrite:
      break;
  }
  return PB_REWRITE;
}

bool is_group(const IpPrefix& prefix) {
  const auto first = static_cast<unsigned>(prefix.network().bytes()[0]);
  if (prefix.family() == Family::v6) {
    return first == 0xff && prefix.length() >= 8;
  }
  return ((first & 0xf0U) == 0xe0U && prefix.length() >= 4) || prefix.length() == 32;
}

}  // namespace

Result<pb_endpoint> to_policy(const EnforceSpec& spec) {
  pb_endpoint out = {};
  const Endpoint& endpoint = spec.lease.endpoint;
  if (endpoint.v4) {
    copy_bytes(*endpoint.v4, &out.v4);
  }
  if (endpoint.v6) {
    copy_bytes(*endpoint.v6, out.v6);
  }
  out.alias4 = pb_alias4(endpoint.index);
  out.mode = mode_of(spec.policy);
  out.flags = spec.allow_raw ? PB_ALLOW_RAW : 0;
  if (spec.groups.size() > kMaxGroups) {
    return fail(Error::of(Errc::invalid_argument, "allow more than 4 groups",
                          "one prefix can hold many: 224.0.0.0/4"));
  }
  for (std::size_t i = 0; i < spec.groups.size(); ++i) {
    if (!is_group(spec.groups[i])) {
      return fail(Error::of(Errc::invalid_argument, "group " + spec.groups[i].to_string(),
                            "multicast prefixes (224.0.0.0/4, ff00::/8) and single broadcast "
                            "addresses can be allowed"));
    }
    out.allowed[i] = to_prefix(spec.groups[i]);
  }
  return out;
}

std::string describe(unsigned operation, unsigned row, int family, const unsigned* address,
                     unsigned port, unsigned pid, std::string_view command) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const std::size_t verb = std::min<std::size_t>(operation, kOperationText.size() - 1);
  std::string line = std::string(command) + "[" + std::to_string(pid) + "] " + kOperationText[verb];
  if (operation != PB_OP_SOCKET &&
      ::inet_ntop(family, address, text.data(), text.size()) != nullptr) {
    const std::string number = std::to_string(ntohs(static_cast<std::uint16_t>(port)));
    line += family == AF_INET6 ? " [" + std::string(text.data()) + "]:" + number
                               : " " + std::string(text.data()) + ":" + number;
  }
  return line + ": " + kRowText[std::min<unsigned>(row, PB_ROW_COUNT - 1)];
}

}  // namespace particle::bind
