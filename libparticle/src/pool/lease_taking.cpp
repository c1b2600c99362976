// SPDX-License-Identifier: Apache-2.0
#include "pool/lease_taking.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>

namespace particle::leases {
namespace {

using std::chrono::nanoseconds;

constexpr std::string_view kInsert =
    "INSERT INTO endpoints(pool, idx, holder, since, pid, start) VALUES(?, ?, ?, ?, ?, ?)";
constexpr std::string_view kReuse =
    "UPDATE endpoints SET holder=?, since=?, pid=?, start=?, until=NULL WHERE pool=? AND idx=?";

/// Rounded up, so that whoever waits this long waits long enough.
std::string in_words(nanoseconds time) {
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(time);
  return std::to_string(rounded.count()) + " ms";
}

void bind(Statement& statement, const std::optional<ProcessId>& process) {
  if (!process) {
    statement.bind_null().bind_null();
    return;
  }
  statement.bind(std::int64_t{process->pid}).bind(process->start_time);
}

}  // namespace

Result<void> check(const TakeRequest& request) {
  const auto invalid = [&](std::string what) {
    return fail(Error::of(Errc::invalid_argument, "pool " + request.pool + ": " + std::move(what)));
  };
  if (request.pool.empty() || request.holder.empty())
    return invalid("a lease needs a pool and a holder");
  if (request.count == 0) return invalid("a lease of no endpoints");
  if (request.capacity > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return invalid("capacity " + std::to_string(request.capacity) + " is too large");
  }
  if (!request.index) return {};
  if (request.count != 1) return invalid("a named endpoint is leased alone");
  if (*request.index < request.first_index || *request.index >= request.capacity) {
    return invalid(std::to_string(*request.index) + " is outside the pool");
  }
  return {};
}

Result<std::vector<LeaseRow>> Taking::named() {
  const std::uint64_t index = *request_.index;
  std::optional<LeaseRow> held;
  std::optional<std::int64_t> until;
  {
    auto find = database_.prepare(
        "SELECT pool, idx, holder, since, pid, start, until FROM endpoints WHERE pool=? AND idx=?");
    if (!find) return fail(std::move(find.error()));
    const auto row = find->bind(request_.pool).bind(index).step();
    if (!row) return fail(row.error());
    if (*row && !find->is_null(2)) held = read_lease(*find);
    if (*row && !find->is_null(6)) until = find->signed_number(6);
  }
  if (held && held->holder == request_.holder) {
    if (auto bound = rebind(*held); !bound) return fail(std::move(bound.error()));
    return std::vector{std::move(*held)};
  }
  if (held) {
    refusal_ = {.index = index, .holder = held->holder, .wait = {}};
    return fail(
        refusal(Errc::busy, pool() + ": " + std::to_string(index) + " is held by " + held->holder));
  }
  if (until && *until > rest_limit_) {
    if (auto cut = cut_long_rests(); !cut) return fail(std::move(cut.error()));
    until = rest_limit_;
  }
  if (until && *until > now_.count()) {
    const nanoseconds wait = nanoseconds{*until} - now_;
    refusal_ = {.index = index, .holder = {}, .wait = wait};
    Error error = refusal(Errc::busy, pool() + ": " + std::to_string(index) + " is cooling down");
    error.details.push_back("it is free in " + in_words(wait));
    return fail(std::move(error));
  }
  (until ? rested_ : fresh_).push_back(index);
  return write(0);
}

Result<void> Taking::rebind(LeaseRow& row) {
  if (!request_.process || row.process == request_.process) return {};
  auto update = database_.prepare("UPDATE endpoints SET pid=?, start=? WHERE pool=? AND idx=?");
  if (!update) return fail(std::move(update.error()));
  bind(*update, request_.process);
  row.process = request_.process;
  return update->bind(row.pool).bind(row.index).run();
}

Result<std::vector<LeaseRow>> Taking::any() {
  if (request_.count <= total()) {
    if (auto done = find_fresh(); !done) return fail(std::move(done.error()));
    if (auto done = find_rested(); !done) return fail(std::move(done.error()));
    if (found() < request_.count) {
      const auto cut = cut_long_rests();
      if (!cut) return fail(cut.error());
      if (*cut > 0) {
        if (auto done = find_rested(); !done) return fail(std::move(done.error()));
      }
    }
    if (found() == request_.count) return write(cursor_);
    // The cursor's progress is kept, so that the next take need not look at the same rows again.
    if (auto done = write_cursor(first_free_); !done) return fail(std::move(done.error()));
  }
  return refuse();
}

/// Walks from the cursor over the gaps between rows. Every row is passed once in a pool's life.
Result<void> Taking::find_fresh() {
  auto next = database_.prepare("SELECT next FROM pools WHERE pool=?");
  if (!next) return fail(std::move(next.error()));
  const auto stored = read_number(next->bind(request_.pool));
  if (!stored) return fail(stored.error());
  cursor_ = std::max(static_cast<std::uint64_t>(stored->value_or(0)), request_.first_index);
  std::optional<std::uint64_t> first_gap;

  auto taken = database_.prepare("SELECT idx FROM endpoints WHERE pool=? AND idx>=? ORDER BY idx");
  if (!taken) return fail(std::move(taken.error()));
  taken->bind(request_.pool).bind(cursor_);
  for (bool more = true; fresh_.size() < request_.count && cursor_ < request_.capacity;) {
    std::uint64_t gap_end = request_.capacity;
    if (more) {
      const auto row = taken->step();
      if (!row) return fail(row.error());
      more = *row;
      if (more) gap_end = std::min(gap_end, taken->number(0));
    }
    if (cursor_ < gap_end && !first_gap) first_gap = cursor_;
    for (; cursor_ < gap_end && fresh_.size() < request_.count; ++cursor_)
      fresh_.push_back(cursor_);
    if (fresh_.size() < request_.count && cursor_ < request_.capacity) ++cursor_;  // the row itself
  }
  first_free_ = first_gap.value_or(cursor_);
  return {};
}

Result<void> Taking::find_rested() {
  rested_.clear();
  if (fresh_.size() == request_.count) return {};
  auto find = database_.prepare(
      "SELECT idx FROM endpoints WHERE pool=? AND until<=? AND idx>=? AND idx<?"
      " ORDER BY until, idx LIMIT ?");
  if (!find) return fail(std::move(find.error()));
  find->bind(request_.pool).bind(std::int64_t{now_.count()});
  find->bind(request_.first_index).bind(request_.capacity).bind(request_.count - fresh_.size());
  for (;;) {
    const auto row = find->step();
    if (!row) return fail(row.error());
    if (!*row) return {};
    rested_.push_back(find->number(0));
  }
}

Result<std::uint64_t> Taking::cut_long_rests() {
  if (rest_limit_ == std::numeric_limits<std::int64_t>::max()) return std::uint64_t{0};
  auto cut = database_.prepare("UPDATE endpoints SET until=?1 WHERE pool=?2 AND until>?1");
  if (!cut) return fail(std::move(cut.error()));
  if (auto done = cut->bind(rest_limit_).bind(request_.pool).run(); !done) {
    return fail(std::move(done.error()));
  }
  return database_.changes();
}

Result<std::vector<LeaseRow>> Taking::refuse() {
  const std::uint64_t missing = request_.count > found() ? request_.count - found() : 0;
  auto count = database_.prepare(
      "SELECT count(*) FROM endpoints WHERE pool=? AND until>? AND idx>=? AND idx<?");
  if (!count) return fail(std::move(count.error()));
  count->bind(request_.pool).bind(std::int64_t{now_.count()});
  const auto counted = read_number(count->bind(request_.first_index).bind(request_.capacity));
  if (!counted) return fail(counted.error());
  const auto cooling = static_cast<std::uint64_t>(counted->value_or(0));

  if (request_.count > total()) {
    return fail(refusal(Errc::exhausted, pool() + " has " + std::to_string(total()) +
                                             " endpoints, " + std::to_string(request_.count) +
                                             " wanted"));
  }
  const std::uint64_t held = total() - std::min(total(), found() + cooling);
  std::string text = pool() + ": " + std::to_string(found()) + " of " + std::to_string(total()) +
                     " endpoints free (" + std::to_string(held) + " held, " +
                     std::to_string(cooling) + " cooling down)";
  if (request_.count > 1) text += ", " + std::to_string(request_.count) + " wanted";
  if (missing > cooling) return fail(refusal(Errc::exhausted, std::move(text)));

  auto find = database_.prepare(
      "SELECT until FROM endpoints WHERE pool=? AND until>? AND idx>=? AND idx<?"
      " ORDER BY until LIMIT 1 OFFSET ?");
  if (!find) return fail(std::move(find.error()));
  find->bind(request_.pool).bind(std::int64_t{now_.count()});
  const auto until =
      read_number(find->bind(request_.first_index).bind(request_.capacity).bind(missing - 1));
  if (!until) return fail(until.error());
  const nanoseconds wait = nanoseconds{until->value_or(now_.count())} - now_;
  refusal_ = {.index = {}, .holder = {}, .wait = wait};
  Error error = refusal(Errc::busy, std::move(text));
  error.details.push_back((request_.count > 1 ? "enough are free in " : "the next is free in ") +
                          in_words(wait));
  return fail(std::move(error));
}

Result<std::vector<LeaseRow>> Taking::write(std::uint64_t cursor) {
  std::vector<LeaseRow> rows;
  rows.reserve(found());
  if (!fresh_.empty()) {
    auto insert = database_.prepare(kInsert);
    if (!insert) return fail(std::move(insert.error()));
    for (const auto index : fresh_) {
      insert->bind(request_.pool).bind(index).bind(request_.holder).bind(micros(since_));
      bind(*insert, request_.process);
      if (auto done = insert->run(); !done) return fail(std::move(done.error()));
    }
  }
  if (!rested_.empty()) {
    auto reuse = database_.prepare(kReuse);
    if (!reuse) return fail(std::move(reuse.error()));
    for (const auto index : rested_) {
      reuse->bind(request_.holder).bind(micros(since_));
      bind(*reuse, request_.process);
      if (auto done = reuse->bind(request_.pool).bind(index).run(); !done) {
        return fail(std::move(done.error()));
      }
    }
  }
  for (const auto* indices : {&fresh_, &rested_}) {
    for (const auto index : *indices) {
      rows.push_back({request_.pool, index, request_.holder, since_, request_.process});
    }
  }
  auto counter = database_.prepare(
      "INSERT INTO pools VALUES(?, ?, ?) ON CONFLICT(pool) DO"
      " UPDATE SET leased=leased+excluded.leased, next=max(next, excluded.next)");
  if (!counter) return fail(std::move(counter.error()));
  counter->bind(request_.pool).bind(cursor).bind(found());
  if (auto done = counter->run(); !done) return fail(std::move(done.error()));
  return rows;
}

Result<void> Taking::write_cursor(std::uint64_t cursor) {
  auto update = database_.prepare("UPDATE pools SET next=?1 WHERE pool=?2 AND next<?1");
  if (!update) return fail(std::move(update.error()));
  return update->bind(cursor).bind(request_.pool).run();
}

}  // namespace particle::leases
