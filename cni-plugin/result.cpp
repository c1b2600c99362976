// SPDX-License-Identifier: Apache-2.0
#include "result.hpp"

#include <nlohmann/json.hpp>

namespace particle::cni {
namespace {

using Json = nlohmann::ordered_json;

bool has_ip_version(Version version) {
  return version < Version::v1_0_0;
}

Json interface_json(const AddResult& added, Version version) {
  Json json = {{"name", added.ifname}, {"mac", added.mac.to_string()}};
  if (version >= Version::v1_1_0) json["mtu"] = added.mtu.value();
  json["sandbox"] = added.sandbox;
  return json;
}

Json ip_json(const AddResult::Ip& ip, std::size_t interface, Version version) {
  Json json = Json::object();
  if (has_ip_version(version)) json["version"] = ip.address.is_v4() ? "4" : "6";
  json["interface"] = interface;
  json["address"] = ip.address.to_string() + "/" + std::to_string(ip.prefix_length);
  if (ip.gateway) json["gateway"] = ip.gateway->to_string();
  return json;
}

Json route_json(const AddResult::Route& route) {
  Json json = {{"dst", route.destination.to_string()}};
  if (route.gateway) json["gw"] = route.gateway->to_string();
  return json;
}

Json dns_json(const Dns& dns) {
  Json json = Json::object();
  if (!dns.nameservers.empty()) json["nameservers"] = dns.nameservers;
  if (!dns.domain.empty()) json["domain"] = dns.domain;
  if (!dns.search.empty()) json["search"] = dns.search;
  if (!dns.options.empty()) json["options"] = dns.options;
  return json;
}

tl::unexpected<CniError> not_a_result(const std::string& why) {
  return refuse(Code::invalid_config, "\"prevResult\" is not a result: " + why);
}

/// The result so far, with its lists present.
Answer<Json> read_previous(const std::string& text) {
  Json json = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
  if (!json.is_object()) return not_a_result("no JSON object");
  for (const char* list : {"interfaces", "ips", "routes"}) {
    Json& value = json[list];
    if (value.is_null()) value = Json::array();
    if (!value.is_array()) return not_a_result(std::string("\"") + list + "\" is not a list");
    for (const auto& item : value) {
      if (!item.is_object())
        return not_a_result(std::string("\"") + list + "\" holds something else than objects");
    }
  }
  return json;
}

/// A runtime converts prevResult to the configuration's version; `ips[].version` is the one field
/// that must be there or must not.
void fit_ips(Json& ips, Version version) {
  for (auto& ip : ips) {
    if (!has_ip_version(version)) ip.erase("version");
    const auto address = ip.find("address");
    if (has_ip_version(version) && !ip.contains("version") && address != ip.end() &&
        address->is_string()) {
      const bool is_v6 = address->get_ref<const std::string&>().find(':') != std::string::npos;
      ip["version"] = is_v6 ? "6" : "4";
    }
  }
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Answer<std::string> to_text(const AddResult& added, const std::string& previous, Version version) {
  auto before = read_previous(previous);
  if (!before) return refuse(std::move(before.error()));
  Json json = {{"cniVersion", to_string(version)}};
  Json interfaces = std::move((*before)["interfaces"]);
  Json ips = std::move((*before)["ips"]);
  Json routes = std::move((*before)["routes"]);
  fit_ips(ips, version);
  const std::size_t interface = interfaces.size();
  interfaces.push_back(interface_json(added, version));
  for (const auto& ip : added.ips) ips.push_back(ip_json(ip, interface, version));
  for (const auto& route : added.routes) routes.push_back(route_json(route));
  json["interfaces"] = std::move(interfaces);
  json["ips"] = std::move(ips);
  if (!routes.empty()) json["routes"] = std::move(routes);
  const auto dns_before = before->find("dns");
  if (!added.dns.empty())
    json["dns"] = dns_json(added.dns);
  else
    json["dns"] = dns_before == before->end() ? Json::object() : std::move(*dns_before);
  // What this release does not know of belongs to somebody further down the chain.
  for (auto& [key, value] : before->items()) {
    if (!json.contains(key) && key != "routes") json[key] = std::move(value);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Answer<PreviousResult> parse_previous(const std::string& text) {
  auto json = read_previous(text);
  if (!json) return refuse(std::move(json.error()));
  PreviousResult out;
  for (const auto& item : (*json)["interfaces"])
    out.interfaces.push_back(
        {text_of(item, "name"), text_of(item, "mac"), text_of(item, "sandbox")});
  for (const auto& item : (*json)["ips"]) {
    const std::string address = text_of(item, "address");
    auto parsed = IpAddress::parse(std::string_view(address).substr(0, address.find('/')));
    if (!parsed) return not_a_result("\"" + address + "\" is not an address");
    PreviousResult::Ip ip{*parsed, std::nullopt};
    const auto index = item.find("interface");
    if (index != item.end() && index->is_number_unsigned())
      ip.interface = index->get<std::size_t>();
    out.ips.push_back(ip);
  }
  return out;
}

std::string versions_text(std::string_view asked) {
  Json supported = Json::array();
  for (const auto version : kVersions) supported.push_back(version);
  const Json json = {{"cniVersion", asked}, {"supportedVersions", std::move(supported)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace particle::cni
