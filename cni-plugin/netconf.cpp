// SPDX-License-Identifier: Apache-2.0
#include "netconf.hpp"

#include <algorithm>

#include <particle/node.hpp>

#include "netconf_reader.hpp"
#include "pod_annotations.hpp"

namespace particle::cni {
namespace {

/// Deeper than any result; without a limit, printing what was read could exhaust the stack.
constexpr int kDeepest = 64;
constexpr std::uint64_t kLongestKeepSeconds = 30ULL * 24 * 3600;

bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kDeepest) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

std::string why_not(const Error& error) {
  return error.hint.empty() ? error.message() : error.hint;
}

/// The member parsed by `parse`, or `otherwise`.
template <class T, class Value, class Parse>
T take(Members& members, const std::string& key, const std::optional<Value>& value, Parse parse,
       T otherwise) {
  if (!value) return otherwise;
  Result<T> parsed = parse(*value);
  if (parsed) return *std::move(parsed);
  members.wrong(key, why_not(parsed.error()));
  return otherwise;
}

void require(Members& members, const std::string& key, bool given) {
  if (!given && members.find(key) == nullptr)
    members.faults().invalid("\"" + members.path(key) + "\" is missing");
}

Dns read_dns(Members& members, const std::string& key, bool of_runtime) {
  const Json* value = members.find(key);
  if (value == nullptr) return {};
  if (!value->is_object()) {
    members.wrong(key, "not an object");
    return {};
  }
  Members inner(*value, members.path(key) + ".", members.faults());
  Dns dns;
  // The capability's names differ from the result's.
  dns.nameservers = inner.texts(of_runtime ? "servers" : "nameservers");
  dns.search = inner.texts(of_runtime ? "searches" : "search");
  dns.options = inner.texts("options");
  if (!of_runtime) dns.domain = inner.text("domain").value_or("");
  inner.refuse_rest();
  return dns;
}

/// `ranges`: [{"subnet": "10.1.0.0/16", "rangeStart": "10.1.1.1", "rangeEnd": "10.1.1.254"}]
std::optional<AddressBlock> read_range(const Json& value, const std::string& where,
                                       Faults& faults) {
  if (!value.is_object()) {
    faults.invalid("\"" + where + "\": " + shown(value) +
                   " is not an object with subnet, rangeStart and rangeEnd");
    return std::nullopt;
  }
  Members members(value, where + ".", faults);
  const auto subnet = members.text("subnet");
  const auto first = members.text("rangeStart");
  const auto last = members.text("rangeEnd");
  require(members, "subnet", subnet.has_value());
  members.refuse_rest();
  if (!subnet) return std::nullopt;
  auto prefix = IpPrefix::parse(*subnet);
  if (!prefix) {
    members.wrong("subnet", why_not(prefix.error()));
    return std::nullopt;
  }
  AddressBlock block{*prefix, std::nullopt};
  if (!first && !last) return block;
  const IpRange hosts = IpRange::hosts_of(*prefix);
  const auto start =
      take<IpAddress>(members, "rangeStart", first, &IpAddress::parse, hosts.first());
  const auto end = take<IpAddress>(members, "rangeEnd", last, &IpAddress::parse, hosts.last());
  auto range = IpRange::make(start, end);
  if (range)
    block.range = *range;
  else
    faults.invalid("\"" + where + "\": " + range.error().message());
  return block;
}

std::vector<AddressBlock> read_blocks(Members& members) {
  std::vector<AddressBlock> blocks;
  const auto prefixes = members.texts("prefix", true);
  const Json* ranges = members.find("ranges");
  if (ranges != nullptr && members.find("prefix") != nullptr) {
    members.faults().invalid(
        R"("prefix" and "ranges" exclude each other: each names the pool's addresses)");
    return blocks;
  }
  for (const auto& text : prefixes) {
    auto prefix = IpPrefix::parse(text);
    if (prefix)
      blocks.push_back({*prefix, std::nullopt});
    else
      members.wrong("prefix", why_not(prefix.error()));
  }
  if (ranges != nullptr && !ranges->is_array()) members.wrong("ranges", "not a list");
  if (ranges != nullptr && ranges->is_array()) {
    for (std::size_t i = 0; i < ranges->size(); ++i) {
      auto block = read_range((*ranges)[i], "ranges[" + std::to_string(i) + "]", members.faults());
      if (block) blocks.push_back(*block);
    }
  }
  const bool named = members.find("prefix") != nullptr || ranges != nullptr;
  if (!named) members.faults().invalid(R"("prefix" (or "ranges") is missing)");
  return blocks;
}

/// `true` is the usual way out, under the node's address.
void read_egress(Members& members, NetConf& conf) {
  const Json* value = members.find("egress");
  if (value == nullptr) return;
  if (value->is_boolean()) {
    conf.spec.egress = value->get<bool>() ? Egress::masquerade : Egress::none;
  } else {
    conf.spec.egress =
        take<Egress>(members, "egress", members.text("egress"), &parse_egress, Egress::none);
  }
  if (conf.spec.egress != Egress::none && conf.spec.isolation == Isolation::container) {
    members.faults().unsupported("egress", *value,
                                 "with isolation container (attach veth) the pool is a router "
                                 "itself: choose attach runtime");
  }
}

/// What libparticle cannot do yet is refused, never passed over.
void refuse_what_is_to_come(Members& members, NetConf& conf) {
  if (const auto overlay = members.text("overlay"); overlay && *overlay != "static")
    members.faults().unsupported("overlay", *members.find("overlay"),
                                 "\"static\" is the only one yet: peers are entered by "
                                 "`particle add-peer`");
  if (const auto enforce = members.text("enforce")) {
    conf.enforce = *enforce;
    if (!can_enforce(*enforce))
      members.faults().unsupported("enforce", *members.find("enforce"),
                                   "auto, ebpf, seccomp and off can be had for containers");
  }
}

/// particle-runc enforces; without it, and without siblings, there is nobody to do it and no need.
void check_enforcement(Members& members, const NetConf& conf) {
  if (conf.attach == Attach::veth && (conf.enforce == "ebpf" || conf.enforce == "seccomp"))
    members.faults().unsupported("enforce", *members.find("enforce"),
                                 "with attach veth a container is alone in its namespace: leave it "
                                 "out, or choose attach runtime");
}

void read_attach(Members& members, NetConf& conf, bool isolation_given) {
  const std::string text = members.text("attach").value_or("auto");
  const bool contained = conf.spec.isolation == Isolation::container;
  if (text == "auto") {
    conf.attach = contained ? Attach::veth : Attach::runtime;
    conf.attach_reason = contained ? "isolation container gives each container a veth of its own"
                                   : "containers of the pool share its namespace, which "
                                     "particle-runc puts them into";
    return;
  }
  auto attach = parse_attach(text);
  if (!attach) {
    members.wrong("attach", "one of auto, runtime, stacked, veth");
    return;
  }
  if (*attach == Attach::stacked)
    members.faults().unsupported("attach", *members.find("attach"),
                                 "the stock loopback plugin's DEL would take the lo of the whole "
                                 "pool down; runtime and veth do without");
  conf.attach = *attach;
  conf.attach_reason = "the configuration says so";
  if (conf.attach != Attach::veth || contained) return;
  if (isolation_given)
    members.wrong("attach", R"(a veth of its own needs "isolation": "container")");
  conf.spec.isolation = Isolation::container;
}

void read_pool(Members& members, NetConf& conf) {
  PoolSpec& spec = conf.spec;
  spec.tenant = members.text("tenant").value_or("");
  require(members, "tenant", !spec.tenant.empty());
  spec.name = members.text("pool").value_or(spec.tenant);
  const auto vni = members.number("vni");
  require(members, "vni", vni.has_value());
  spec.vni = take<Vni>(members, "vni", vni, &Vni::from, *Vni::from(1));
  spec.blocks = read_blocks(members);
  spec.count = members.number("count");
  spec.mode = take<AddressMode>(members, "mode", members.text("mode"), &parse_address_mode,
                                AddressMode::automatic);
  const auto isolation = members.text("isolation");
  spec.isolation =
      take<Isolation>(members, "isolation", isolation, &parse_isolation, Isolation::tenant);
  read_attach(members, conf, isolation.has_value());
  const auto attachment = members.text("attachment");
  conf.attachment_given = attachment.has_value();
  spec.attachment = take<particle::Attachment>(
      members, "attachment", attachment, &particle::parse_attachment, particle::Attachment::veth);
  read_egress(members, conf);
  if (const auto mtu = members.number("mtu"))
    spec.mtu = take<Mtu>(members, "mtu", mtu, &Mtu::from, *Mtu::from(Mtu::kMinIpv6));
  spec.underlay.device = members.text("underlayDev");
  if (const auto address = members.text("underlayIp"))
    spec.underlay.address =
        take<IpAddress>(members, "underlayIp", address, &IpAddress::parse, IpAddress{});
  if (const auto keep = members.number("keepPool")) {
    if (*keep > kLongestKeepSeconds) members.wrong("keepPool", "more seconds than 30 days have");
    conf.keep_pool = std::chrono::seconds(std::min(*keep, kLongestKeepSeconds));
  }
  refuse_what_is_to_come(members, conf);
  check_enforcement(members, conf);
}

void read_runtime(Members& members, NetConf& conf) {
  const Json* value = members.find("runtimeConfig");
  if (value == nullptr) return;
  if (!value->is_object()) {
    members.wrong("runtimeConfig", "not an object");
    return;
  }
  Members inner(*value, "runtimeConfig.", members.faults());
  for (const auto& text : inner.texts("ips")) {
    auto address = IpAddress::parse(std::string_view(text).substr(0, text.find('/')));
    if (address)
      conf.runtime.ips.push_back(*address);
    else
      inner.wrong("ips", "\"" + text + "\" is not an address");
  }
  if (const auto mac = inner.text("mac")) {
    conf.runtime.mac = take<Mac>(inner, "mac", mac, &Mac::parse, Mac{});
    if (conf.attach != Attach::veth)
      members.faults().unsupported(
          "runtimeConfig.mac", *inner.find("mac"),
          "containers of a pool share its device; attach veth has one each");
  }
  conf.runtime.dns = read_dns(inner, "dns", true);
  conf.runtime.cgroup_path = inner.text("cgroupPath").value_or("");
  conf.runtime.pod = read_pod_annotations(inner, "io.kubernetes.cri.pod-annotations", conf);
  inner.refuse_rest();
}

void read_valid_attachments(Members& members, NetConf& conf) {
  members.find("cni.dev/attachments");  // libcni repeats the list under this name
  const Json* list = members.find("cni.dev/valid-attachments");
  if (list == nullptr) return;
  if (!list->is_array()) {
    members.wrong("cni.dev/valid-attachments", "not a list");
    return;
  }
  std::vector<ValidAttachment> valid;
  for (const auto& item : *list) {
    const auto text = [&](const char* key) {
      return item.is_object() && item.contains(key) && item[key].is_string()
                 ? item[key].get<std::string>()
                 : std::string();
    };
    valid.push_back({text("containerID"), text("ifname")});
    // Half an entry would have an attachment that is in use removed.
    if (valid.back().container.empty() || valid.back().ifname.empty()) {
      members.wrong("cni.dev/valid-attachments", shown(item) + " lacks containerID or ifname");
      return;
    }
  }
  conf.valid_attachments = std::move(valid);
}

Answer<Json> read_object(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return refuse(Code::decoding, "no network configuration on standard input");
  if (is_too_deep(text))
    return refuse(Code::decoding, "the configuration is nested deeper than 64 levels");
  try {
    Json json = Json::parse(text);
    if (!json.is_object())
      return refuse(Code::decoding, "the configuration is not a JSON object: " + shown(json));
    return json;
  } catch (const Json::exception& error) {
    return refuse(Code::decoding, std::string("the configuration is not JSON: ") + error.what());
  }
}

Answer<Version> read_version(const Json& json) {
  const auto found = json.find("cniVersion");
  // The specification's default of old; it has no result that this plugin could give.
  if (found == json.end())
    return refuse(Code::incompatible_version, "\"cniVersion\" is missing, which means 0.1.0",
                  "supported: 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
  const auto version =
      found->is_string() ? find_version(found->get_ref<const std::string&>()) : std::nullopt;
  if (!version)
    return refuse(Code::incompatible_version,
                  "\"cniVersion\": " + shown(*found) + " is not supported",
                  "supported: 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
  return *version;
}

/// What even DEL and GC need: whose state it is and where it is.
void read_identity(Members& members, NetConf& conf) {
  conf.name = members.text("name").value_or("");
  require(members, "name", !conf.name.empty());
  if (!conf.name.empty() && !check_name("network name", conf.name, 255))
    members.wrong("name", "a letter or digit, then letters, digits, '_', '.', '-'");
  conf.run_dir = members.text("runDir").value_or(std::string(kDefaultRunDir));
  if (!conf.run_dir.starts_with('/')) members.wrong("runDir", "not an absolute path");
  if (const auto type = members.text("type"); !type) require(members, "type", false);
}

}  // namespace

Answer<NetConf> parse_netconf(std::string_view text) {
  auto json = read_object(text);
  if (!json) return refuse(std::move(json.error()));
  NetConf conf;
  auto version = read_version(*json);
  if (!version) return refuse(std::move(version.error()));
  conf.version = *version;
  Faults faults;
  Members members(*json, "", faults);
  members.find("cniVersion");
  members.find("capabilities");
  members.find("args");
  read_identity(members, conf);
  const bool anonymous = !faults.none();
  read_pool(members, conf);
  conf.dns = read_dns(members, "dns", false);
  read_runtime(members, conf);
  read_valid_attachments(members, conf);
  if (const Json* previous = members.find("prevResult"))
    conf.prev_result = previous->dump(-1, ' ', false, Json::error_handler_t::replace);
  // Before the unknown keys, so that the pool's own faults come first.
  if (faults.none()) {
    for (const auto& error : check(conf.spec)) faults.invalid(error.message());
  }
  members.refuse_rest();
  conf.fault = faults.verdict();
  if (anonymous) return refuse(*std::move(conf.fault));
  return conf;
}

std::string_view version_for_errors(std::string_view text) {
  const auto json = read_object(text);
  if (!json) return kNewestVersion;
  const auto version = read_version(*json);
  return version ? to_string(*version) : kNewestVersion;
}

}  // namespace particle::cni
