// SPDX-License-Identifier: Apache-2.0
/// Packet filter tables through libnftables, which is loaded when it is first needed: whoever has no
/// egress needs it neither installed nor mapped.
#pragma once

#include <optional>
#include <string>

#include <particle/result.hpp>

namespace particle {

/// The table of family inet of this name becomes these rules, in one transaction; empty rules: it goes.
/// In the calling thread's namespace. Idempotent.
/// Errors: not_found without libnftables, permission_denied, unsupported, kernel with nft's words.
Result<void> replace_table_here(const std::string& table, const std::string& rules);

/// The comment of the table of family inet of this name in the calling thread's namespace; nothing: there
/// is none. Errors: as replace_table_here.
Result<std::optional<std::string>> observe_table_here(const std::string& table);

}  // namespace particle
