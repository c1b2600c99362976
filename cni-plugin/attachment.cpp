// SPDX-License-Identifier: Apache-2.0
#include "attachment.hpp"

#include <algorithm>
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

/// As JSON. Nearly every text is plain; printing those through the library took a tenth of an ADD's
/// instructions.
std::string json_text(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
  });
  if (plain) return '"' + std::string(text) + '"';
  // CNI_NETNS and cgroup paths are bytes; what is not UTF-8 in them is replaced, not thrown about.
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_text(const std::optional<IpAddress>& address) {
  return address ? json_text(address->to_string()) : "null";
}

/// One object's text, member by member.
class ObjectText {
 public:
  ObjectText& add(std::string_view name, std::string_view json) {
    (((text_ += text_.empty() ? "{\"" : ",\"") += name) += "\":") += json;
    return *this;
  }
  [[nodiscard]] std::string end() const { return text_ + "}"; }

 private:
  std::string text_;
};

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
  std::string prefixes;
  for (const auto& prefix : attachment.prefixes)
    (prefixes += prefixes.empty() ? "" : ",") += json_text(prefix.to_string());
  const auto& pod = attachment.pod;
  ObjectText text;
  text.add("version", std::to_string(kAttachmentVersion))
      .add("network", json_text(attachment.key.network))
      .add("container", json_text(attachment.key.container))
      .add("ifname", json_text(attachment.key.ifname))
      .add("complete", attachment.complete ? "true" : "false")
      .add("pool", json_text(attachment.pool))
      .add("run_dir", json_text(attachment.run_dir))
      .add("attach", json_text(to_string(attachment.attach)))
      .add("sandbox", json_text(attachment.sandbox))
      .add("netns_path", json_text(attachment.netns_path))
      .add("v4", json_text(attachment.v4))
      .add("v6", json_text(attachment.v6))
      .add("prefixes", "[" + prefixes + "]")
      .add("pod", ObjectText()
                      .add("namespace", json_text(pod.space))
                      .add("name", json_text(pod.name))
                      .add("uid", json_text(pod.uid))
                      .end())
      .add("cgroup_path", json_text(attachment.cgroup_path))
      .add("enforce", json_text(attachment.enforce));
  return text.end() + "\n";
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
