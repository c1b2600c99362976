// SPDX-License-Identifier: Apache-2.0
// Egress and published ports in words.
#include <charconv>
#include <limits>

#include <particle/pool.hpp>

namespace particle {
namespace {

Error bad_port(std::string_view text, const std::string& why) {
  return Error::of(Errc::invalid_argument, "published port \"" + std::string(text) + "\": " + why,
                   "NODE_PORT:ENDPOINT:PORT[/tcp|udp], for instance 8080:10.1.0.5:80/tcp or "
                   "8080:[fd00:1::5]:80");
}

std::optional<std::uint16_t> number_of(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || value == 0 || value > std::numeric_limits<std::uint16_t>::max())
    return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

}  // namespace

std::string_view to_string(Egress egress) noexcept {
  switch (egress) {
    case Egress::none:
      return "none";
    case Egress::masquerade:
      return "masquerade";
    case Egress::routed:
      return "routed";
  }
  return "?";
}

std::string_view to_string(Protocol protocol) noexcept {
  return protocol == Protocol::udp ? "udp" : "tcp";
}

Result<Egress> parse_egress(std::string_view text) {
  for (auto egress : {Egress::none, Egress::masquerade, Egress::routed}) {
    if (text == to_string(egress)) return egress;
  }
  return fail(Error::of(Errc::invalid_argument, "egress \"" + std::string(text) +
                                                    "\" is not one of none, masquerade, routed"));
}

Result<PublishedPort> PublishedPort::parse(std::string_view text) {
  PublishedPort out;
  std::string_view rest = text;
  if (const auto slash = rest.rfind('/'); slash != std::string_view::npos) {
    const auto protocol = rest.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp")
      return fail(bad_port(text, "the protocol is tcp or udp"));
    out.protocol = protocol == "udp" ? Protocol::udp : Protocol::tcp;
    rest = rest.substr(0, slash);
  }
  const auto first = rest.find(':');
  const auto last = rest.rfind(':');
  if (first == std::string_view::npos || first == last)
    return fail(bad_port(text, "it lacks a part"));
  const auto node_port = number_of(rest.substr(0, first));
  const auto port = number_of(rest.substr(last + 1));
  if (!node_port || !port) return fail(bad_port(text, "ports are 1 to 65535"));
  std::string_view address = rest.substr(first + 1, last - first - 1);
  const bool bracketed = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (bracketed) address = address.substr(1, address.size() - 2);
  auto endpoint = IpAddress::parse(address);
  if (!endpoint || endpoint->is_v4() == bracketed)
    return fail(bad_port(text, "no address of an endpoint (IPv6 in brackets)"));
  out.node_port = *node_port;
  out.endpoint = *endpoint;
  out.port = *port;
  return out;
}

std::string PublishedPort::to_string() const {
  const std::string address =
      endpoint.is_v4() ? endpoint.to_string() : "[" + endpoint.to_string() + "]";
  return std::to_string(node_port) + ":" + address + ":" + std::to_string(port) + "/" +
         std::string(particle::to_string(protocol));
}

}  // namespace particle
