// SPDX-License-Identifier: Apache-2.0
/// etcd's messages as its gateway writes them: 64-bit numbers as strings, keys and values in base64,
/// fields that are zero left out. Pure. A malformed field throws nlohmann::json::exception.
#pragma once

#include <nlohmann/json.hpp>

#include "overlay-adapters/etcd/client.hpp"

namespace particle::overlay::wire {

using Json = nlohmann::json;

/// The end of the range of all keys that begin with `prefix`: the prefix with its last byte raised.
std::string range_end(std::string prefix);

Json list_request(const std::string& from, const std::string& prefix, std::int64_t revision,
                  std::int64_t limit);
Json commit_request(const std::vector<Condition>& conditions, const std::vector<Change>& changes);
Json watch_request(const std::string& prefix, std::int64_t from_revision);

/// 0 when it is not there.
std::int64_t number(const Json& object, const char* key);
std::int64_t revision_of(const Json& reply);
/// Ids are unsigned.
std::uint64_t cluster_of(const Json& reply);
KeyValue key_value(const Json& object);

/// One line of a watch.
WatchNews watch_news(const Json& line);

/// gRPC's code and etcd's words to an error.
/// `text` is the whole answer, which is shown when it is not what etcd sends.
Error error_of(const std::string& operation, long status, const std::string& text,
               const Json& reply);

}  // namespace particle::overlay::wire
