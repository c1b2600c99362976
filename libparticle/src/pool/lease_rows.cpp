// SPDX-License-Identifier: Apache-2.0
#include "pool/lease_rows.hpp"

namespace particle::leases {

std::int64_t later(std::chrono::nanoseconds now, std::chrono::milliseconds duration) {
  constexpr auto kEnd = std::chrono::nanoseconds::max();
  if (duration <= std::chrono::milliseconds::zero()) return now.count();
  if (duration > std::chrono::duration_cast<std::chrono::milliseconds>(kEnd - now)) {
    return kEnd.count();
  }
  return (now + duration).count();
}

std::int64_t micros(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

std::chrono::system_clock::time_point time_of(std::int64_t micros) {
  return std::chrono::system_clock::time_point{std::chrono::microseconds{micros}};
}

LeaseRow read_lease(const Statement& statement) {
  LeaseRow row{.pool = statement.text(0),
               .index = statement.number(1),
               .holder = statement.text(2),
               .since = time_of(statement.signed_number(3)),
               .process = {}};
  if (!statement.is_null(4)) {
    row.process = ProcessId{.pid = static_cast<pid_t>(statement.signed_number(4)),
                            .start_time = statement.number(5)};
  }
  return row;
}

Result<std::vector<LeaseRow>> read_leases(Statement& statement) {
  std::vector<LeaseRow> rows;
  for (;;) {
    const auto more = statement.step();
    if (!more) return fail(more.error());
    if (!*more) return rows;
    rows.push_back(read_lease(statement));
  }
}

Result<std::optional<std::int64_t>> read_number(Statement& statement) {
  const auto row = statement.step();
  if (!row) return fail(row.error());
  if (!*row || statement.is_null(0)) return std::optional<std::int64_t>{};
  return std::optional{statement.signed_number(0)};
}

}  // namespace particle::leases
