// SPDX-License-Identifier: Apache-2.0
#include "announcement.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <nlohmann/json.hpp>

namespace particle::overlay {
namespace {

using Json = nlohmann::json;

constexpr std::array kFields{"node", "pool", "tenant", "vni", "vtep", "mac", "prefixes", "mtu"};

/// Reads fields of one object and notes each that is missing or wrong.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }
  void complain(std::string problem) { problems_.push_back(std::move(problem)); }
  [[nodiscard]] std::vector<std::string>& problems() { return problems_; }

  std::string text(const char* key) {
    const auto found = object_.find(key);
    if (found != object_.end() && found->is_string()) return found->get<std::string>();
    complain(std::string(key) + (found == object_.end() ? ": is missing" : ": is no string"));
    return {};
  }

  template <class T>
  T valid(const char* key, Result<T> value) {
    if (value) return *std::move(value);
    complain(std::string(key) + ": " + value.error().operation +
             (value.error().hint.empty() ? "" : " (" + value.error().hint + ")"));
    return T{};
  }

  template <class T>
  T parsed(const char* key, Result<T> (*parse)(std::string_view)) {
    const std::size_t before = problems_.size();
    const std::string value = text(key);
    return problems_.size() == before ? valid(key, parse(value)) : T{};
  }

  template <class T>
  T number(const char* key, Result<T> (*from)(std::uint64_t)) {
    const auto found = object_.find(key);
    if (found != object_.end() && found->is_number_unsigned())
      return valid(key, from(found->get<std::uint64_t>()));
    complain(std::string(key) + (found == object_.end() ? ": is missing" : ": is no number"));
    return T{};
  }

  std::vector<IpPrefix> prefixes() {
    std::vector<IpPrefix> out;
    const auto found = object_.find("prefixes");
    if (found == object_.end() || !found->is_array()) {
      complain("prefixes: a list is missing");
      return out;
    }
    for (const Json& item : *found) {
      out.push_back(valid(
          "prefixes", IpPrefix::parse(item.is_string() ? item.get<std::string>() : item.dump())));
    }
    return out;
  }

 private:
  const Json& object_;
  std::vector<std::string> problems_;
};

/// show-pool's output has many more fields. Anywhere else an unknown one is a slip of the pen.
void check_known(const Json& object, Fields& fields) {
  if (object.contains("netns_path")) return;
  for (const auto& [key, value] : object.items()) {
    const auto* known = std::find_if(kFields.begin(), kFields.end(),
                                     [&key = key](const char* field) { return key == field; });
    if (known == kFields.end()) fields.complain(key + ": no such field");
  }
}

Announcement read_fields(const Json& object, Fields& fields) {
  check_known(object, fields);
  Announcement out;
  if (fields.has("node")) out.node = fields.text("node");
  const char* pool = object.contains("netns_path") ? "name" : "pool";
  if (fields.has(pool)) out.pool = fields.text(pool);
  out.vni = fields.number("vni", &Vni::from);
  if (fields.has("mtu")) out.mtu = fields.number("mtu", &Mtu::from);
  out.peer.tenant = fields.text("tenant");
  out.peer.vtep = fields.parsed("vtep", &IpAddress::parse);
  out.peer.mac = fields.parsed("mac", &Mac::parse);
  out.peer.prefixes = fields.prefixes();
  if (fields.problems().empty()) {
    for (const Error& error : check(out)) fields.complain(error.operation);
  }
  return out;
}

Error not_one(const std::string& source, std::string why) {
  return Error::of(
      Errc::invalid_argument, source + " " + std::move(why),
      "an announcement has tenant, vni, vtep, mac, prefixes and, if you like, node, pool and mtu; "
      "`particle show-pool NAME --json` prints one");
}

Result<Announcement> read_object(const Json& object, const std::string& source) {
  if (!object.is_object()) return fail(not_one(source, "is not a JSON object"));
  Fields fields(object);
  Announcement out = read_fields(object, fields);
  if (fields.problems().empty()) return out;
  Error error = not_one(source, "is not an announcement");
  error.details = std::move(fields.problems());
  return fail(std::move(error));
}

const Json* list_of(const Json& document) {
  if (document.is_array()) return &document;
  const auto peers = document.find("peers");
  return peers != document.end() && peers->is_array() ? &*peers : nullptr;
}

}  // namespace

Announcement announcement_of(const std::string& node, const PoolInfo& pool) {
  return {.node = node,
          .pool = pool.name,
          .vni = pool.vni,
          .mtu = pool.mtu,
          .peer = {pool.tenant, pool.vtep, pool.mac, pool.routes}};
}

std::string describe(const Announcement& announcement) {
  std::string text = announcement.pool.empty() ? "a pool" : "pool " + announcement.pool;
  text += " of tenant " + announcement.peer.tenant;
  if (!announcement.node.empty()) text += " on node " + announcement.node;
  return text + " at " + announcement.peer.vtep.to_string();
}

std::vector<Error> check(const Announcement& announcement) {
  std::vector<Error> errors = particle::check(announcement.peer);
  const auto name = [&](const char* what, const std::string& value) {
    if (value.empty()) return;
    if (auto ok = check_name(what, value); !ok) errors.push_back(std::move(ok.error()));
  };
  name("node", announcement.node);
  name("pool name", announcement.pool);
  if (announcement.vni.value() == 0)
    errors.push_back(Error::of(Errc::invalid_argument, "the announcement has no VNI"));
  return errors;
}

std::string to_json(const Announcement& announcement) {
  Json prefixes = Json::array();
  for (const IpPrefix& prefix : announcement.peer.prefixes) prefixes.push_back(prefix.to_string());
  Json object = {{"tenant", announcement.peer.tenant},
                 {"vni", announcement.vni.value()},
                 {"vtep", announcement.peer.vtep.to_string()},
                 {"mac", announcement.peer.mac.to_string()},
                 {"prefixes", std::move(prefixes)}};
  if (!announcement.node.empty()) object["node"] = announcement.node;
  if (!announcement.pool.empty()) object["pool"] = announcement.pool;
  if (announcement.mtu) object["mtu"] = announcement.mtu->value();
  return object.dump();
}

Result<Announcement> parse_announcement(std::string_view text, const std::string& source) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail(not_one(source, "is not JSON"));
  return read_object(document, source);
}

Result<std::vector<Announcement>> parse_announcements(std::string_view text,
                                                      const std::string& source) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) return fail(not_one(source, "is not JSON"));
  std::vector<Announcement> out;
  const Json* list = list_of(document);
  if (list == nullptr) {
    auto one = read_object(document, source);
    if (!one) return fail(std::move(one.error()));
    out.push_back(*std::move(one));
    return out;
  }
  std::vector<std::string> faults;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string entry = "entry " + std::to_string(i + 1);
    auto one = read_object((*list)[i], entry);
    if (one) {
      out.push_back(*std::move(one));
    } else if (one.error().details.empty()) {
      faults.push_back(one.error().operation);
    } else {
      for (const auto& fault : one.error().details) faults.push_back(entry + ": " + fault);
    }
  }
  if (faults.empty()) return out;
  Error error = not_one(source, "has faulty entries");
  error.details = std::move(faults);
  return fail(std::move(error));
}

}  // namespace particle::overlay
