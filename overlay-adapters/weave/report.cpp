// SPDX-License-Identifier: Apache-2.0
#include "weave/report.hpp"

#include <nlohmann/json.hpp>

namespace particle::overlay::weave {
namespace {

using Json = nlohmann::json;

Error not_understood(const std::string& what) {
  return Error::of(Errc::protocol, "Weave's report: " + what,
                   "written for Weave Net 2.x; `curl -H 'Accept: application/json' "
                   "http://127.0.0.1:6784/report` shows it");
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// An array's elements; none for null, as Go writes an empty one.
const Json& list_of(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : kNone;
}

/// "192.0.2.2:6783" without the port.
Result<IpAddress> host_of(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  return IpAddress::parse(host);
}

void read_connections(const Json& router, Report& report) {
  for (const Json& peer : list_of(router, "Peers")) {
    if (!peer.is_object() || text_of(peer, "Name") != report.own) continue;
    for (const Json& connection : list_of(peer, "Connections")) {
      if (!connection.is_object() || !connection.value("Established", false)) continue;
      const auto host = host_of(text_of(connection, "Address"));
      if (host) report.connected.insert_or_assign(text_of(connection, "Name"), *host);
    }
  }
}

Result<void> read_shares(const Json& ipam, Report& report) {
  for (const Json& entry : list_of(ipam, "Entries")) {
    const auto first = IpAddress::parse(entry.is_object() ? text_of(entry, "Token") : "");
    const auto size =
        entry.is_object() && entry.contains("Size") && entry["Size"].is_number_unsigned()
            ? entry["Size"].get<std::uint64_t>()
            : 0;
    if (!first || size == 0 || text_of(entry, "Peer").empty())
      return fail(not_understood("an entry of IPAM without Token, Size or Peer"));
    const auto last = first->plus(size - 1);
    if (!last) return fail(not_understood("an entry of IPAM that is too large"));
    report.shares.push_back(
        {text_of(entry, "Peer"), text_of(entry, "Nickname"), IpRange::make(*first, *last).value()});
  }
  return {};
}

}  // namespace

Result<Report> parse_report(std::string_view text) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object()) return fail(not_understood("it is no JSON object"));
  const auto router = document.find("Router");
  if (router == document.end() || !router->is_object() || text_of(*router, "Name").empty())
    return fail(not_understood("it has no Router with a Name"));
  Report report;
  report.own = text_of(*router, "Name");
  read_connections(*router, report);
  const auto ipam = document.find("IPAM");
  if (ipam == document.end() || !ipam->is_object())
    return fail(not_understood("it has no IPAM: was Weave started with --no-ipam?"));
  if (auto done = read_shares(*ipam, report); !done) return fail(std::move(done.error()));
  return report;
}

}  // namespace particle::overlay::weave
