// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include <nlohmann/json.hpp>

#include "pool/record.hpp"

namespace particle {
namespace {

using nlohmann::json;

/// Reads fields of one record; the first failure sticks, so that a parser reads straight down.
class Reader {
 public:
  Reader(std::string_view text, std::string path) : path_(std::move(path)) {
    document_ = json::parse(text, nullptr, false);
    if (document_.is_discarded() || !document_.is_object()) {
      complain("is not a JSON object (truncated?)");
      return;
    }
    const auto version = number("version");
    if (version > kRecordVersion) {
      complain("has version " + std::to_string(version) + ", newer than this program's " +
               std::to_string(kRecordVersion));
    }
  }

  /// A part of a record that has no version of its own.
  Reader(json part, std::string path) : path_(std::move(path)), document_(std::move(part)) {
    if (!document_.is_object()) complain("has a part that is no object");
  }

  std::string text(const char* key) {
    const json* value = find(key, json::value_t::string);
    return value != nullptr ? value->get<std::string>() : std::string{};
  }
  std::uint64_t number(const char* key) {
    const json* value = find(key, json::value_t::number_unsigned);
    return value != nullptr ? value->get<std::uint64_t>() : 0;
  }
  bool flag(const char* key) {
    const json* value = find(key, json::value_t::boolean);
    return value != nullptr && value->get<bool>();
  }
  /// A number of at most 32 bits.
  std::uint32_t small_number(const char* key) {
    const std::uint64_t value = number(key);
    if (value > std::numeric_limits<std::uint32_t>::max()) complain(too_large(key));
    return static_cast<std::uint32_t>(value);
  }
  /// Names become parts of paths: no record may lead out of the run directory.
  std::string name(const char* key) {
    std::string value = text(key);
    if (auto ok = check_name(key, value); !ok) complain(ok.error().message());
    return value;
  }
  std::string device(const char* key) {
    std::string value = text(key);
    if (auto ok = check_device_name(value); !ok) complain(ok.error().message());
    return value;
  }
  static std::string too_large(const char* key) {
    return std::string("has a \"") + key + "\" that is too large";
  }
  const json* array(const char* key) { return find(key, json::value_t::array); }
  [[nodiscard]] bool has(const char* key) const {
    return document_.is_object() && document_.contains(key);
  }

  template <class T>
  T take(const char* key, Result<T> parsed) {
    if (parsed) return *std::move(parsed);
    if (!error_) complain(std::string("has a bad \"") + key + "\": " + parsed.error().message());
    return T{};
  }
  void complain(const std::string& what) {
    if (error_) return;
    error_ = Error::of(Errc::corrupt_state, path_ + " " + what,
                       "run `particle gc`, which removes or repairs it");
  }
  template <class T>
  Result<T> finish(T value) {
    if (error_) return fail(*std::move(error_));
    return value;
  }

 private:
  const json* find(const char* key, json::value_t type) {
    if (error_) return nullptr;
    const auto found = document_.find(key);
    if (found == document_.end() || found->type() != type) {
      complain(std::string("lacks \"") + key + "\" or has the wrong type there");
      return nullptr;
    }
    return &*found;
  }

  std::string path_;
  json document_;
  std::optional<Error> error_;
};

/// A device may be called anything, even what is no text: that becomes U+FFFD rather than an
/// exception.
std::string to_text(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

json block_to_json(const EndpointBlock& block) {
  json result{{"prefix", block.asked.prefix.to_string()}};
  if (block.asked.range) result["range"] = block.asked.range->to_string();
  return result;
}

AddressBlock read_block(Reader& reader, const json& value) {
  AddressBlock block;
  if (!value.is_object() || !value.contains("prefix") || !value["prefix"].is_string()) {
    reader.complain("has a block without a prefix");
    return block;
  }
  block.prefix = reader.take("prefix", IpPrefix::parse(value["prefix"].get<std::string>()));
  if (value.contains("range") && value["range"].is_string()) {
    block.range = reader.take("range", IpRange::parse(value["range"].get<std::string>()));
    if (!block.range->within(block.prefix)) reader.complain("has a range outside its prefix");
  }
  return block;
}

void read_blocks(Reader& reader, PoolRecord& record) {
  const json* blocks = reader.array("blocks");
  if (blocks == nullptr) return;
  if (blocks->empty() || blocks->size() > 2) {
    reader.complain("has no block, or too many");
    return;
  }
  for (const auto& value : *blocks) {
    const AddressBlock asked = read_block(reader, value);
    const bool fits = record.capacity != 0 && record.capacity <= kMaxEndpoints &&
                      record.capacity <= block_capacity(asked);
    if (!fits) {
      reader.complain("has a capacity that does not fit its blocks");
      return;
    }
    if (record.block(asked.prefix.family()) != nullptr) {
      reader.complain("has two blocks of one family");
      return;
    }
    record.blocks.push_back(make_endpoint_block(asked, record.capacity));
  }
}

}  // namespace

std::string to_text(const TenantRecord& record) {
  json document{{"version", kRecordVersion},
                {"tenant", record.tenant},
                {"vni", record.vni.value()},
                {"vtep", record.vtep.to_string()},
                {"underlay_device", record.underlay_device},
                {"mtu", record.mtu.value()}};
  if (record.bound_device) document["bound_device"] = record.bound_device->value;
  if (record.direct) document["direct"] = *record.direct;
  return to_text(document);
}

std::string to_text(const PoolRecord& record) {
  json blocks = json::array();
  for (const auto& block : record.blocks) blocks.push_back(block_to_json(block));
  json document{{"version", kRecordVersion},
                {"name", record.name},
                {"id", record.id},
                {"tenant", record.tenant},
                {"vni", record.vni.value()},
                {"blocks", std::move(blocks)},
                {"capacity", record.capacity},
                {"count_given", record.count_given},
                {"mode", to_string(record.mode)},
                {"mode_reason", record.mode_reason},
                {"isolation", to_string(record.isolation)},
                {"mac", record.mac.to_string()},
                {"mtu", record.mtu.value()},
                {"cooldown_ms", static_cast<std::uint64_t>(record.cooldown.count())}};
  if (record.attachment == Attachment::direct) {
    document["attachment"] = to_string(record.attachment);
  } else {
    document["port"] = record.port;
    document["port_index"] = record.port_index.value;
  }
  if (record.egress != Egress::none) document["egress"] = to_string(record.egress);
  for (const auto& port : record.published) document["published"].push_back(port.to_string());
  return to_text(document);
}

std::string to_text(const std::vector<Peer>& peers) {
  json list = json::array();
  for (const auto& peer : peers) {
    json prefixes = json::array();
    for (const auto& prefix : peer.prefixes) prefixes.push_back(prefix.to_string());
    list.push_back({{"tenant", peer.tenant},
                    {"vtep", peer.vtep.to_string()},
                    {"mac", peer.mac.to_string()},
                    {"prefixes", std::move(prefixes)}});
    if (!peer.owner.empty()) list.back()["owner"] = peer.owner;
  }
  return to_text(json{{"version", kRecordVersion}, {"peers", std::move(list)}});
}

Result<TenantRecord> parse_tenant_record(std::string_view text, const std::string& path) {
  Reader reader(text, path);
  TenantRecord record;
  record.tenant = reader.name("tenant");
  record.vni = reader.take("vni", Vni::from(reader.number("vni")));
  record.vtep = reader.take("vtep", IpAddress::parse(reader.text("vtep")));
  record.underlay_device = reader.device("underlay_device");
  record.mtu = reader.take("mtu", Mtu::from(reader.number("mtu")));
  if (reader.has("bound_device")) {
    record.bound_device = IfIndex{reader.small_number("bound_device")};
  }
  if (reader.has("direct")) record.direct = reader.name("direct");
  return reader.finish(std::move(record));
}

Result<PoolRecord> parse_pool_record(std::string_view text, const std::string& path) {
  Reader reader(text, path);
  PoolRecord record;
  record.name = reader.name("name");
  if (reader.has("id")) record.id = reader.number("id");
  record.tenant = reader.name("tenant");
  record.vni = reader.take("vni", Vni::from(reader.number("vni")));
  record.capacity = reader.number("capacity");
  read_blocks(reader, record);
  record.count_given = reader.flag("count_given");
  record.mode = reader.take("mode", parse_address_mode(reader.text("mode")));
  if (record.mode == AddressMode::automatic) reader.complain("has a mode that was not chosen");
  record.mode_reason = reader.text("mode_reason");
  record.isolation = reader.take("isolation", parse_isolation(reader.text("isolation")));
  record.mac = reader.take("mac", Mac::parse(reader.text("mac")));
  record.mtu = reader.take("mtu", Mtu::from(reader.number("mtu")));
  // Records are older than the choice: those without it have a veth.
  if (reader.has("attachment"))
    record.attachment = reader.take("attachment", parse_attachment(reader.text("attachment")));
  if (reader.has("egress"))
    record.egress = reader.take("egress", parse_egress(reader.text("egress")));
  const json* published = reader.has("published") ? reader.array("published") : nullptr;
  for (const auto& port : published != nullptr ? *published : json::array()) {
    const auto shown = port.is_string() ? port.get<std::string>() : std::string{};
    record.published.push_back(reader.take("published", PublishedPort::parse(shown)));
  }
  if (record.attachment == Attachment::veth) {
    record.port = reader.device("port");
    record.port_index = IfIndex{reader.small_number("port_index")};
  }
  const std::uint64_t cooldown = reader.number("cooldown_ms");
  if (cooldown > static_cast<std::uint64_t>(std::chrono::milliseconds::max().count()))
    reader.complain(Reader::too_large("cooldown_ms"));
  record.cooldown = std::chrono::milliseconds(cooldown);
  return reader.finish(std::move(record));
}

Result<std::vector<Peer>> parse_peers(std::string_view text, const std::string& path) {
  Reader reader(text, path);
  std::vector<Peer> peers;
  const json* list = reader.array("peers");
  if (list == nullptr) return reader.finish(std::move(peers));
  for (const auto& value : *list) {
    Reader fields(value, path);
    Peer peer;
    peer.tenant = fields.name("tenant");
    peer.vtep = fields.take("vtep", IpAddress::parse(fields.text("vtep")));
    peer.mac = fields.take("mac", Mac::parse(fields.text("mac")));
    const json* prefixes = fields.array("prefixes");
    for (const auto& prefix : prefixes != nullptr ? *prefixes : json::array()) {
      const auto shown = prefix.is_string() ? prefix.get<std::string>() : std::string{};
      peer.prefixes.push_back(fields.take("prefixes", IpPrefix::parse(shown)));
    }
    if (fields.has("owner")) peer.owner = fields.name("owner");
    auto parsed = fields.finish(std::move(peer));
    if (!parsed) return fail(std::move(parsed.error()));
    peers.push_back(*std::move(parsed));
  }
  return reader.finish(std::move(peers));
}

}  // namespace particle
