// SPDX-License-Identifier: Apache-2.0
#include "attachment.hpp"

#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

namespace particle::cni {
namespace {

using Json = nlohmann::ordered_json;

/// What libparticle allows a holder, less than a file name may have with its ending.
constexpr std::size_t kLongestHolder = 250;

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
}

std::string escape(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain(c))
      out += c;
    else
      (out += '_') += {kDigits[byte >> 4U], kDigits[byte & 15U]};
  }
  return out;
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
  return std::nullopt;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_plain(text[i])) {
      out += text[i];
      continue;
    }
    if (text[i] != '_' || i + 2 >= text.size()) return std::nullopt;
    const auto high = hex_digit(text[i + 1]);
    const auto low = hex_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high << 4U | *low);
    i += 2;
  }
  return out;
}

Json address_or_null(const std::optional<IpAddress>& address) {
  return address ? Json(address->to_string()) : Json(nullptr);
}

/// Reads fields of one record; throws nlohmann's exceptions, which parse_attachment catches.
class Reader {
 public:
  Reader(const Json& json, const std::string& path) : json_(json), path_(path) {}

  [[nodiscard]] std::string text(const char* name) const {
    return json_.at(name).get<std::string>();
  }
  [[nodiscard]] Result<std::optional<IpAddress>> address(const char* name, Family family) const {
    const Json& value = json_.at(name);
    if (value.is_null()) return std::optional<IpAddress>{};
    auto address = IpAddress::parse(value.get<std::string>());
    if (!address) return fail(corrupt(address.error().message()));
    if (address->family() != family)
      return fail(corrupt(std::string(name) + " is of the other family"));
    return std::optional<IpAddress>(*address);
  }
  [[nodiscard]] Result<std::vector<IpPrefix>> prefixes(const char* name) const {
    std::vector<IpPrefix> out;
    for (const auto& text : json_.at(name).get<std::vector<std::string>>()) {
      auto prefix = IpPrefix::parse(text);
      if (!prefix) return fail(corrupt(prefix.error().message()));
      out.push_back(*prefix);
    }
    return out;
  }
  [[nodiscard]] Error corrupt(const std::string& why) const {
    return Error::of(Errc::corrupt_state, path_ + ": " + why);
  }

 private:
  const Json& json_;
  const std::string& path_;
};

Result<Attachment> read(const Json& json, const std::string& path) {
  const Reader reader(json, path);
  Attachment out;
  out.key = {reader.text("network"), reader.text("container"), reader.text("ifname")};
  out.complete = json.at("complete").get<bool>();
  out.pool = reader.text("pool");
  out.run_dir = reader.text("run_dir");
  auto attach = parse_attach(reader.text("attach"));
  if (!attach) return fail(reader.corrupt(attach.error().message()));
  out.attach = *attach;
  out.sandbox = reader.text("sandbox");
  out.netns_path = reader.text("netns_path");
  auto v4 = reader.address("v4", Family::v4);
  auto v6 = reader.address("v6", Family::v6);
  auto prefixes = reader.prefixes("prefixes");
  if (!v4) return fail(std::move(v4.error()));
  if (!v6) return fail(std::move(v6.error()));
  if (!prefixes) return fail(std::move(prefixes.error()));
  out.v4 = *v4;
  out.v6 = *v6;
  out.prefixes = *std::move(prefixes);
  const Json& pod = json.at("pod");
  out.pod = {pod.at("namespace").get<std::string>(), pod.at("name").get<std::string>(),
             pod.at("uid").get<std::string>()};
  out.cgroup_path = reader.text("cgroup_path");
  out.enforce = reader.text("enforce");
  if (out.complete && !out.v4 && !out.v6) return fail(reader.corrupt("it has no address"));
  return out;
}

}  // namespace

std::string_view to_string(Attach attach) noexcept {
  switch (attach) {
    case Attach::runtime:
      return "runtime";
    case Attach::veth:
      return "veth";
    case Attach::stacked:
      return "stacked";
  }
  return "?";
}

Result<Attach> parse_attach(std::string_view text) {
  for (const auto attach : {Attach::runtime, Attach::veth, Attach::stacked}) {
    if (text == to_string(attach)) return attach;
  }
  return fail(Error::of(Errc::invalid_argument, "attach \"" + std::string(text) + "\"",
                        "one of runtime, veth, stacked"));
}

Result<std::string> AttachmentKey::holder() const {
  std::string holder = escape(network) + "." + escape(container) + "." + escape(ifname);
  if (holder.size() > kLongestHolder) {
    return fail(Error::of(
        Errc::invalid_argument,
        "network name, container id and interface name together take " +
            std::to_string(holder.size()) + " characters, more than " +
            std::to_string(kLongestHolder),
        "a dot or an underscore in them counts three times; choose a shorter network name"));
  }
  return holder;
}

std::optional<AttachmentKey> AttachmentKey::from_holder(std::string_view holder) {
  std::array<std::string, 3> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    const auto dot = holder.find('.');
    if (last != (dot == std::string_view::npos)) return std::nullopt;
    auto part = unescape(holder.substr(0, dot));
    if (!part || part->empty()) return std::nullopt;
    parts[i] = *std::move(part);
    holder.remove_prefix(last ? holder.size() : dot + 1);
  }
  return AttachmentKey{std::move(parts[0]), std::move(parts[1]), std::move(parts[2])};
}

std::string to_text(const Attachment& attachment) {
  Json prefixes = Json::array();
  for (const auto& prefix : attachment.prefixes) prefixes.push_back(prefix.to_string());
  const Json json = {
      {"version", kAttachmentVersion},
      {"network", attachment.key.network},
      {"container", attachment.key.container},
      {"ifname", attachment.key.ifname},
      {"complete", attachment.complete},
      {"pool", attachment.pool},
      {"run_dir", attachment.run_dir},
      {"attach", to_string(attachment.attach)},
      {"sandbox", attachment.sandbox},
      {"netns_path", attachment.netns_path},
      {"v4", address_or_null(attachment.v4)},
      {"v6", address_or_null(attachment.v6)},
      {"prefixes", std::move(prefixes)},
      {"pod",
       {{"namespace", attachment.pod.space},
        {"name", attachment.pod.name},
        {"uid", attachment.pod.uid}}},
      {"cgroup_path", attachment.cgroup_path},
      {"enforce", attachment.enforce},
  };
  // CNI_NETNS and cgroup paths are bytes; what is not UTF-8 in them is replaced, not thrown about.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<Attachment> parse_attachment(std::string_view text, const std::string& path) {
  try {
    const Json json = Json::parse(text);
    const auto version = json.at("version").get<std::int64_t>();
    if (version > kAttachmentVersion) {
      return fail(Error::of(Errc::unsupported,
                            path + " is of version " + std::to_string(version) +
                                ", this program reads up to " + std::to_string(kAttachmentVersion),
                            "a later release wrote it: run that one"));
    }
    if (version < 1) return fail(Error::of(Errc::corrupt_state, path + ": version below 1"));
    return read(json, path);
  } catch (const Json::exception& error) {
    return fail(Error::of(Errc::corrupt_state, path + ": " + error.what()));
  }
}

}  // namespace particle::cni
