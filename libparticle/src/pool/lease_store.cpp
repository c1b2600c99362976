// SPDX-License-Identifier: Apache-2.0
#include "pool/lease_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <utility>

#include "pool/lease_rows.hpp"
#include "pool/lease_taking.hpp"

namespace particle {
namespace {

using leases::Database;
using leases::later;
using leases::read_leases;
using leases::read_number;
using leases::Taking;
using leases::Transaction;
using std::chrono::nanoseconds;

constexpr std::uint64_t kSchemaVersion = 1;

// A row of `endpoints` is either held (holder, since) or resting (until); an endpoint without a row
// is free: never used, or forgotten. `next` is the pool's cursor: every leasable index below it has
// a row, so a take finds a never-used endpoint there and a used one at the head of `resting`, in
// O(log N) either way.
constexpr const char* kSchema = R"sql(
CREATE TABLE pools(pool TEXT PRIMARY KEY, next INTEGER NOT NULL, leased INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TABLE endpoints(pool TEXT NOT NULL, idx INTEGER NOT NULL, holder TEXT, since INTEGER,
  pid INTEGER, start INTEGER, until INTEGER, PRIMARY KEY(pool, idx)) WITHOUT ROWID;
CREATE INDEX held ON endpoints(pool, holder, idx) WHERE holder IS NOT NULL;
CREATE INDEX resting ON endpoints(pool, until, idx) WHERE until IS NOT NULL;
PRAGMA user_version = 1;
)sql";

// Process death is survived by the rollback journal, whose pages reach the kernel's page cache in
// order. Power loss is not survived, and need not be: the namespaces that the leases are about end
// with it. Hence no fsync at all.
// The journal is kept and overwritten: one open + take + close by a fresh process takes 0.33 ms,
// with TRUNCATE or DELETE 0.35 ms, with WAL (which must be mapped and checkpointed each time) 0.51
// ms.
// Small pages: a lease changes five, and each is written twice. Of no effect once there are tables.
constexpr const char* kNewFile = "PRAGMA page_size=1024";
constexpr const char* kSettings = "PRAGMA journal_mode=PERSIST; PRAGMA synchronous=OFF";

nanoseconds boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
}

}  // namespace

struct LeaseStore::Impl {
  std::unique_ptr<Database> database;
  Clock clock;

  /// Applies the settings and reads the version; 0 when the file holds nothing yet.
  [[nodiscard]] Result<std::uint64_t> prepare_connection() const;
  [[nodiscard]] Result<std::uint64_t> version() const;
  /// The number, unless a later release wrote it.
  [[nodiscard]] Result<std::uint64_t> check_version(std::int64_t stored) const;
  [[nodiscard]] Result<void> ensure_schema() const;
};

Result<std::uint64_t> LeaseStore::Impl::version() const {
  auto select = database->prepare("PRAGMA user_version");
  if (!select) return fail(std::move(select.error()));
  const auto stored = read_number(*select);
  if (!stored) return fail(stored.error());
  return check_version(stored->value_or(0));
}

Result<std::uint64_t> LeaseStore::Impl::check_version(std::int64_t stored) const {
  const auto number = static_cast<std::uint64_t>(stored);
  if (number > kSchemaVersion) {
    Error error =
        database->corrupt("version " + std::to_string(number) + ", newer than this program's " +
                          std::to_string(kSchemaVersion));
    return fail(std::move(error));
  }
  return number;
}

Result<std::uint64_t> LeaseStore::Impl::prepare_connection() const {
  // A statement that was stepped and not reset keeps its lock on the file, so that what the settings
  // have to read is read under the same one: seventeen system calls less.
  auto select = database->prepare("PRAGMA user_version");
  if (!select) return fail(std::move(select.error()));
  const auto stored = read_number(*select);
  if (!stored) return fail(stored.error());
  if (auto done = database->execute(kSettings); !done) return fail(std::move(done.error()));
  return check_version(stored->value_or(0));
}

Result<void> LeaseStore::Impl::ensure_schema() const {
  if (auto done = database->execute(kNewFile); !done) return done;
  auto transaction = Transaction::begin(*database);
  if (!transaction) return fail(std::move(transaction.error()));
  // Another process may have been faster.
  const auto now = version();
  if (!now) return fail(now.error());
  if (*now == kSchemaVersion) return {};
  if (auto done = database->execute(kSchema); !done) return done;
  return transaction->commit();
}

LeaseStore::LeaseStore(std::unique_ptr<Impl> impl) : impl_{std::move(impl)} {}
LeaseStore::LeaseStore(LeaseStore&&) noexcept = default;
LeaseStore& LeaseStore::operator=(LeaseStore&&) noexcept = default;
LeaseStore::~LeaseStore() = default;

Result<LeaseStore> LeaseStore::open(const std::string& path, Clock clock) {
  auto database = Database::open(path, true);
  if (!database) return fail(std::move(database.error()));
  auto impl = std::make_unique<Impl>();
  impl->database = std::move(*database);
  impl->clock = clock ? std::move(clock) : Clock{boot_time};
  const auto version = impl->prepare_connection();
  if (!version) return fail(version.error());
  if (*version == 0) {
    if (auto done = impl->ensure_schema(); !done) return fail(std::move(done.error()));
  }
  return LeaseStore{std::move(impl)};
}

Result<std::optional<LeaseStore>> LeaseStore::open_existing(const std::string& path, Clock clock) {
  struct stat file{};
  if (::stat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return std::optional<LeaseStore>{};
    return fail(Error::from_errno(errno, "lease store " + path));
  }
  auto database = Database::open(path, false);
  if (!database) {
    if (database.error().kind() == Errc::not_found) return std::optional<LeaseStore>{};
    return fail(std::move(database.error()));
  }
  auto impl = std::make_unique<Impl>();
  impl->database = std::move(*database);
  impl->clock = clock ? std::move(clock) : Clock{boot_time};
  const auto version = impl->prepare_connection();
  if (!version) return fail(version.error());
  // Its maker has not got further, or never will.
  if (*version == 0) return std::optional<LeaseStore>{};
  return std::optional{LeaseStore{std::move(impl)}};
}

Result<std::vector<LeaseRow>> LeaseStore::take(const TakeRequest& request, TakeRefusal* refusal) {
  TakeRefusal unwanted;
  TakeRefusal& why = refusal == nullptr ? unwanted : *refusal;
  why = {};
  if (auto valid = leases::check(request); !valid) return fail(std::move(valid.error()));
  auto transaction = Transaction::begin(*impl_->database);
  if (!transaction) return fail(std::move(transaction.error()));
  Taking taking{*impl_->database, request, impl_->clock(), why};
  auto rows = request.index ? taking.named() : taking.any();
  if (!rows && !taking.refused()) return rows;
  // A refusal may have moved the cursor or cut a rest short, and no lease.
  if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  return rows;
}

Result<std::vector<LeaseRow>> LeaseStore::release(const std::string& pool,
                                                  const std::string& holder,
                                                  std::optional<std::uint64_t> index,
                                                  std::chrono::milliseconds cooldown,
                                                  std::uint64_t* left) {
  Database& database = *impl_->database;
  auto transaction = Transaction::begin(database);
  if (!transaction) return fail(std::move(transaction.error()));

  std::string select =
      "SELECT pool, idx, holder, since, pid, start FROM endpoints WHERE pool=? AND holder=?";
  std::string update =
      "UPDATE endpoints SET holder=NULL, since=NULL, pid=NULL, start=NULL, until=?"
      " WHERE pool=? AND holder=?";
  if (index) {
    select += " AND idx=?";
    update += " AND idx=?";
  }
  select += " ORDER BY idx";
  auto find = database.prepare(select);
  if (!find) return fail(std::move(find.error()));
  find->bind(pool).bind(holder);
  if (index) find->bind(*index);
  auto rows = read_leases(*find);
  if (!rows) return rows;
  if (rows->empty()) {
    if (left != nullptr) {
      auto now = usage(pool);
      if (!now) return fail(std::move(now.error()));
      *left = now->leased;
    }
    return rows;
  }

  auto rest = database.prepare(update);
  if (!rest) return fail(std::move(rest.error()));
  rest->bind(later(impl_->clock(), cooldown)).bind(pool).bind(holder);
  if (index) rest->bind(*index);
  if (auto done = rest->run(); !done) return fail(std::move(done.error()));

  auto counter = database.prepare("UPDATE pools SET leased=leased-? WHERE pool=? RETURNING leased");
  if (!counter) return fail(std::move(counter.error()));
  const auto leased = read_number(counter->bind(std::uint64_t{rows->size()}).bind(pool));
  if (!leased) return fail(leased.error());
  if (auto done = counter->run(); !done) return fail(std::move(done.error()));
  if (left != nullptr) *left = static_cast<std::uint64_t>(leased->value_or(0));
  if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  return rows;
}

Result<std::vector<LeaseRow>> LeaseStore::list(const std::optional<std::string>& pool,
                                               const std::optional<std::string>& holder) {
  std::string sql = "SELECT e.pool, idx, holder, since, pid, start FROM ";
  // By holder alone: one look per pool rather than one per lease.
  if (holder && !pool) {
    sql += "pools p CROSS JOIN endpoints e ON e.pool=p.pool WHERE holder=?";
  } else {
    sql += "endpoints e WHERE holder IS NOT NULL";
    if (pool) sql += " AND e.pool=?";
    if (holder) sql += " AND holder=?";
  }
  sql += " ORDER BY e.pool, idx";
  auto select = impl_->database->prepare(sql);
  if (!select) return fail(std::move(select.error()));
  if (pool) select->bind(*pool);
  if (holder) select->bind(*holder);
  return read_leases(*select);
}

Result<Usage> LeaseStore::usage(const std::string& pool) {
  auto select = impl_->database->prepare(
      "SELECT (SELECT leased FROM pools WHERE pool=?1),"
      " (SELECT count(*) FROM endpoints WHERE pool=?1 AND until>?2)");
  if (!select) return fail(std::move(select.error()));
  const auto row = select->bind(pool).bind(std::int64_t{impl_->clock().count()}).step();
  if (!row) return fail(row.error());
  return Usage{.leased = select->number(0), .cooling = select->number(1)};
}

Result<std::optional<nanoseconds>> LeaseStore::next_cooled(const std::string& pool) {
  auto select = impl_->database->prepare(
      "SELECT until FROM endpoints WHERE pool=? AND until IS NOT NULL ORDER BY until LIMIT 1");
  if (!select) return fail(std::move(select.error()));
  const auto until = read_number(select->bind(pool));
  if (!until) return fail(until.error());
  if (!*until) return std::optional<nanoseconds>{};
  return std::optional{std::max(nanoseconds{**until} - impl_->clock(), nanoseconds::zero())};
}

Result<std::optional<std::uint64_t>> LeaseStore::highest(const std::string& pool) {
  auto select = impl_->database->prepare(
      "SELECT idx FROM endpoints WHERE pool=? AND +holder IS NOT NULL ORDER BY idx DESC LIMIT 1");
  if (!select) return fail(std::move(select.error()));
  const auto index = read_number(select->bind(pool));
  if (!index) return fail(index.error());
  if (!*index) return std::optional<std::uint64_t>{};
  return std::optional{static_cast<std::uint64_t>(**index)};
}

Result<std::uint64_t> LeaseStore::forget(const std::string& pool, std::uint64_t from_index) {
  constexpr auto kLast = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::uint64_t from = std::min(from_index, kLast);
  Database& database = *impl_->database;
  auto transaction = Transaction::begin(database);
  if (!transaction) return fail(std::move(transaction.error()));
  std::uint64_t leases = 0;
  {
    auto count = database.prepare(
        "SELECT count(*) FROM endpoints WHERE pool=? AND idx>=? AND +holder IS NOT NULL");
    if (!count) return fail(std::move(count.error()));
    const auto counted = read_number(count->bind(pool).bind(from));
    if (!counted) return fail(counted.error());
    leases = static_cast<std::uint64_t>(counted->value_or(0));
  }
  auto drop = database.prepare("DELETE FROM endpoints WHERE pool=? AND idx>=?");
  if (!drop) return fail(std::move(drop.error()));
  if (auto done = drop->bind(pool).bind(from).run(); !done) return fail(std::move(done.error()));
  auto counter = database.prepare(
      from == 0 ? "DELETE FROM pools WHERE pool=?"
                : "UPDATE pools SET next=min(next, ?2), leased=leased-?3 WHERE pool=?1");
  if (!counter) return fail(std::move(counter.error()));
  counter->bind(pool);
  if (from != 0) counter->bind(from).bind(leases);
  if (auto done = counter->run(); !done) return fail(std::move(done.error()));
  if (auto done = transaction->commit(); !done) return fail(std::move(done.error()));
  return leases;
}

}  // namespace particle
