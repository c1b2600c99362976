// SPDX-License-Identifier: Apache-2.0
#include "etcd/client.hpp"

#include <algorithm>
#include <utility>

#include "etcd/wire.hpp"

namespace particle::overlay {
namespace {

using std::chrono::milliseconds;
using wire::Json;

/// An election takes a second or two; a server that needs longer is as good as gone. Three signs of
/// life fit into a lease: one that is not answered is known to be lost before any lease has ended.
milliseconds patience_of(const EtcdSettings& settings) {
  return std::min(milliseconds(4000), milliseconds(settings.lease) / 3);
}
/// 100,000 announcements take a few seconds.
constexpr milliseconds kListPatience{15'000};
/// 5,000 announcements are about 2 MB.
constexpr std::int64_t kPage = 5000;

/// Turns what the reader of a message throws into an error.
template <class Read>
auto guarded(const std::string& operation, Read read) -> Result<decltype(read())> {
  try {
    return read();
  } catch (const Json::exception& exception) {
    Error error = Error::of(Errc::protocol, operation + ": the answer is not what etcd 3.4 sends");
    error.kernel_message = exception.what();
    return fail(std::move(error));
  }
}

Error lease_is_over(std::int64_t lease) {
  return Error::of(Errc::not_found, "etcd lease " + std::to_string(lease));
}

}  // namespace

EtcdClient::EtcdClient(EtcdSettings settings, std::stop_token stop)
    : settings_(std::move(settings)), http_(settings_.tls, std::move(stop)) {}

void EtcdClient::next_endpoint() {
  current_ = (current_ + 1) % settings_.endpoints.size();
  token_.clear();
  http_.close_stream();
}

Result<Json> EtcdClient::call_once(const std::string& path, const std::string& body) {
  const std::string url = endpoint() + "/v3/" + path;
  const auto patience = path == "kv/range" ? kListPatience : patience_of(settings_);
  auto reply = http_.post({.url = url, .body = body, .authorization = token_}, patience);
  if (!reply) return fail(std::move(reply.error()));
  Json json = Json::parse(reply->body, nullptr, false);
  const bool bad = json.is_discarded() || !json.is_object() || json.contains("error");
  if (reply->status != 200 || bad)
    return fail(wire::error_of("etcd " + url, reply->status, reply->body, json));
  return json;
}

Result<Json> EtcdClient::call(const std::string& path, const Json& body) {
  const std::string text = body.dump();
  auto reply = call_once(path, text);
  // Tokens end after five minutes, and when users or roles change.
  if (reply || reply.error().kind() != Errc::permission_denied || token_.empty()) return reply;
  if (auto ok = authenticate(); !ok) return fail(std::move(ok.error()));
  return call_once(path, text);
}

Result<void> EtcdClient::authenticate() {
  token_.clear();
  if (settings_.user.empty()) return {};
  auto password = read_password(settings_);
  if (!password) return fail(std::move(password.error()));
  auto reply = call_once("auth/authenticate",
                         Json{{"name", settings_.user}, {"password", *password}}.dump());
  if (!reply) return fail(std::move(reply.error()));
  auto token =
      guarded("etcd authentication", [&] { return reply->at("token").get<std::string>(); });
  if (!token) return fail(std::move(token.error()));
  token_ = *std::move(token);
  return {};
}

Result<Listing> EtcdClient::list(const std::string& prefix) {
  Listing out;
  std::string from = prefix;
  for (bool more = true; more;) {
    auto reply = call("kv/range", wire::list_request(from, prefix, out.revision, kPage));
    if (!reply) return fail(std::move(reply.error()));
    auto read = guarded("etcd list of " + prefix, [&] {
      if (out.revision == 0) out.revision = wire::revision_of(*reply);
      out.cluster = wire::cluster_of(*reply);
      for (const Json& one : reply->value("kvs", Json::array()))
        out.keys.push_back(wire::key_value(one));
      return reply->value("more", false);
    });
    if (!read) return fail(std::move(read.error()));
    more = *read && !out.keys.empty();
    if (more) from = out.keys.back().key + '\0';
  }
  return out;
}

Result<Committed> EtcdClient::commit(const std::vector<Condition>& conditions,
                                     const std::vector<Change>& changes) {
  auto reply = call("kv/txn", wire::commit_request(conditions, changes));
  if (!reply) return fail(std::move(reply.error()));
  return guarded("etcd transaction", [&] {
    return Committed{reply->value("succeeded", false), wire::revision_of(*reply)};
  });
}

Result<std::int64_t> EtcdClient::grant(std::chrono::seconds ttl) {
  auto reply = call("lease/grant", {{"TTL", std::to_string(ttl.count())}, {"ID", "0"}});
  if (!reply) return fail(std::move(reply.error()));
  return guarded("etcd lease", [&] { return wire::number(*reply, "ID"); });
}

Result<void> EtcdClient::keep_alive(std::int64_t lease) {
  auto reply = call("lease/keepalive", {{"ID", std::to_string(lease)}});
  if (!reply) return fail(std::move(reply.error()));
  auto left = guarded("etcd lease", [&] { return wire::number(reply->at("result"), "TTL"); });
  if (!left) return fail(std::move(left.error()));
  if (*left <= 0) return fail(lease_is_over(lease));
  return {};
}

void EtcdClient::watch(const std::string& prefix, std::int64_t from_revision) {
  http_.open_stream({.url = endpoint() + "/v3/watch",
                     .body = wire::watch_request(prefix, from_revision).dump(),
                     .authorization = token_});
}

Result<std::vector<WatchNews>> EtcdClient::news() {
  std::vector<WatchNews> out;
  for (const std::string& line : http_.take_lines()) {
    auto one = guarded("etcd watch", [&] { return wire::watch_news(Json::parse(line)); });
    if (!one) return fail(std::move(one.error()));
    out.push_back(*std::move(one));
  }
  if (auto error = http_.stream_error(); error && out.empty()) return fail(*std::move(error));
  return out;
}

}  // namespace particle::overlay
