// SPDX-License-Identifier: Apache-2.0
/// Base64 (RFC 4648 section 4): what instances read and write is bytes, JSON has text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace particle::fleet {

std::string encode_base64(std::string_view bytes);
/// With padding; nothing when it is malformed.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace particle::fleet
