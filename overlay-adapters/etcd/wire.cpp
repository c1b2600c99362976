// SPDX-License-Identifier: Apache-2.0
#include "etcd/wire.hpp"

#include <stdexcept>
#include <utility>

#include "etcd/base64.hpp"

namespace particle::overlay::wire {
namespace {

// google.rpc.Code
constexpr std::int64_t kInvalidArgument = 3;
constexpr std::int64_t kDeadlineExceeded = 4;
constexpr std::int64_t kNotFound = 5;
constexpr std::int64_t kPermissionDenied = 7;
constexpr std::int64_t kResourceExhausted = 8;
constexpr std::int64_t kFailedPrecondition = 9;
constexpr std::int64_t kUnavailable = 14;
constexpr std::int64_t kUnauthenticated = 16;

std::string bytes(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  auto decoded = decode_base64(found->get<std::string>());
  if (!decoded) throw Json::other_error::create(501, std::string(key) + " is no base64", &object);
  return *std::move(decoded);
}

Json condition(const Condition& condition) {
  Json out{{"key", encode_base64(condition.key)}, {"result", "EQUAL"}};
  const std::string value = std::to_string(condition.equals);
  switch (condition.what) {
    case Condition::What::created:
      out["target"] = "CREATE";
      out["create_revision"] = value;
      break;
    case Condition::What::modified:
      out["target"] = "MOD";
      out["mod_revision"] = value;
      break;
    case Condition::What::lease:
      out["target"] = "LEASE";
      out["lease"] = value;
      break;
  }
  return out;
}

Json change(const Change& change) {
  Json out{{"key", encode_base64(change.key)}};
  if (!change.value) return {{"request_delete_range", out}};
  out["value"] = encode_base64(*change.value);
  if (change.lease != 0) out["lease"] = std::to_string(change.lease);
  return {{"request_put", out}};
}

Errc kind_of(std::int64_t code, const std::string& words) {
  switch (code) {
    case kUnauthenticated:
    case kPermissionDenied:
      return Errc::permission_denied;
    case kInvalidArgument:
    case kFailedPrecondition:
      // "user name is empty", "authentication failed", "authentication is not enabled",
      // "revision of auth store is old"
      return words.find("auth") != std::string::npos || words.find("user") != std::string::npos
                 ? Errc::permission_denied
                 : Errc::protocol;
    case kNotFound:
      return Errc::not_found;
    case kResourceExhausted:
      return Errc::exhausted;
    case kDeadlineExceeded:
    case kUnavailable:
      return Errc::io;
    default:
      return Errc::protocol;
  }
}

}  // namespace

std::string range_end(std::string prefix) {
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

Json list_request(const std::string& from, const std::string& prefix, std::int64_t revision,
                  std::int64_t limit) {
  Json out{{"key", encode_base64(from)},
           {"range_end", encode_base64(range_end(prefix))},
           {"limit", std::to_string(limit)}};
  if (revision != 0) out["revision"] = std::to_string(revision);
  return out;
}

Json commit_request(const std::vector<Condition>& conditions, const std::vector<Change>& changes) {
  Json compare = Json::array();
  for (const auto& one : conditions) compare.push_back(condition(one));
  Json success = Json::array();
  for (const auto& one : changes) success.push_back(change(one));
  return {{"compare", compare}, {"success", success}};
}

Json watch_request(const std::string& prefix, std::int64_t from_revision) {
  return {{"create_request",
           {{"key", encode_base64(prefix)},
            {"range_end", encode_base64(range_end(prefix))},
            {"start_revision", std::to_string(from_revision)}}}};
}

std::int64_t number(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return 0;
  if (found->is_number()) return found->get<std::int64_t>();
  try {
    return std::stoll(found->get<std::string>());
  } catch (const std::logic_error&) {
    throw Json::other_error::create(501, std::string(key) + " is no number", &object);
  }
}

std::int64_t revision_of(const Json& reply) {
  return number(reply.at("header"), "revision");
}

std::uint64_t cluster_of(const Json& reply) {
  const auto text = reply.at("header").value("cluster_id", std::string("0"));
  try {
    return std::stoull(text);
  } catch (const std::logic_error&) {
    throw Json::other_error::create(501, "cluster_id is no number", &reply);
  }
}

KeyValue key_value(const Json& object) {
  return {.key = bytes(object, "key"),
          .value = bytes(object, "value"),
          .created = number(object, "create_revision"),
          .modified = number(object, "mod_revision"),
          .lease = number(object, "lease")};
}

WatchNews watch_news(const Json& line) {
  WatchNews out;
  if (const auto error = line.find("error"); error != line.end()) {
    out.refused = error->dump();
    return out;
  }
  const Json& result = line.at("result");
  for (const Json& event : result.value("events", Json::array())) {
    const bool deleted = event.value("type", "PUT") == "DELETE";
    (deleted ? out.deleted : out.put).push_back(key_value(event.at("kv")));
  }
  if (!result.value("canceled", false)) return out;
  out.compacted = number(result, "compact_revision") != 0;
  if (!out.compacted) out.refused = result.value("cancel_reason", std::string("it was cancelled"));
  return out;
}

Error error_of(const std::string& operation, long status, const std::string& text,
               const Json& reply) {
  constexpr std::size_t kShown = 200;
  // A stream's error is one level deeper than a plain one.
  const bool nested = reply.is_object() && reply.contains("error") && reply["error"].is_object();
  const Json& body = nested ? reply["error"] : reply;
  std::string words;
  std::int64_t code = 0;
  if (body.is_object()) {
    words = body.value("message", body.value("error", std::string()));
    code = number(body, nested ? "grpc_code" : "code");
  }
  Error error = Error::of(code != 0 ? kind_of(code, words) : Errc::protocol, operation);
  error.kernel_message =
      words.empty() ? "HTTP status " + std::to_string(status) + ": " + text.substr(0, kShown)
                    : words;
  if (error.kind() == Errc::permission_denied)
    error.hint = "look at --etcd-user, its password and its roles (`etcdctl user get`)";
  if (text.find("CommonName") != std::string::npos) {
    error.code = Errc::permission_denied;
    error.hint =
        "where etcd has users, its gateway accepts only client certificates without a common name: "
        "issue one whose subject is, say, /O=particle";
  } else if (error.kind() == Errc::protocol && words.empty())
    error.hint = "is this really an etcd 3.4 or newer, with its JSON gateway enabled?";
  return error;
}

}  // namespace particle::overlay::wire
