// SPDX-License-Identifier: Apache-2.0
/// Base64 (RFC 4648 section 4), in which etcd's JSON carries keys and values. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace particle::overlay {

std::string encode_base64(std::string_view bytes);
/// With padding, as etcd writes it; nothing when it is malformed.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace particle::overlay
