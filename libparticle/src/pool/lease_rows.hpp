// SPDX-License-Identifier: Apache-2.0
/// Rows of the lease store's tables, to and from SQLite's values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "pool/lease_database.hpp"
#include "pool/lease_store.hpp"

namespace particle::leases {

/// `now + duration`, or the end of time when that is later.
std::int64_t later(std::chrono::nanoseconds now, std::chrono::milliseconds duration);
std::int64_t micros(std::chrono::system_clock::time_point time);
std::chrono::system_clock::time_point time_of(std::int64_t micros);

/// Columns: pool, idx, holder, since, pid, start.
LeaseRow read_lease(const Statement& statement);
Result<std::vector<LeaseRow>> read_leases(Statement& statement);
/// The first column of the only row; nullopt when there is no row or it holds NULL.
Result<std::optional<std::int64_t>> read_number(Statement& statement);

}  // namespace particle::leases
