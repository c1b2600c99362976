// SPDX-License-Identifier: Apache-2.0
#include "pool/lease_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <limits>
#include <string_view>
#include <utility>

#include "pool/lease_database.hpp"

namespace particle {
namespace {

using leases::Database;
using leases::Statement;
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
constexpr const char* kSettings = "PRAGMA journal_mode=PERSIST; PRAGMA synchronous=OFF";

constexpr std::string_view kInsert =
    "INSERT INTO endpoints(pool, idx, holder, since, pid, start) VALUES(?, ?, ?, ?, ?, ?)";
constexpr std::string_view kReuse =
    "UPDATE endpoints SET holder=?, since=?, pid=?, start=?, until=NULL WHERE pool=? AND idx=?";

nanoseconds boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
}

/// `now + duration`, or the end of time when that is later.
std::int64_t later(nanoseconds now, std::chrono::milliseconds duration) {
  constexpr auto kEnd = nanoseconds::max();
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

/// Columns: pool, idx, holder, since, pid, start.
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

/// The first column of the only row; nullopt when there is no row or it holds NULL.
Result<std::optional<std::int64_t>> read_number(Statement& statement) {
  const auto row = statement.step();
  if (!row) return fail(row.error());
  if (!*row || statement.is_null(0)) return std::optional<std::int64_t>{};
  return std::optional{statement.signed_number(0)};
}

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

/// One take, inside a transaction. Decides by reading; writes once the outcome is certain.
class Taking {
 public:
  Taking(Database& database, const TakeRequest& request, nanoseconds now, TakeRefusal& refusal)
      : database_{database},
        request_{request},
        now_{now},
        rest_limit_{later(now, request.cooldown)},
        since_{time_of(micros(std::chrono::system_clock::now()))},
        refusal_{refusal} {}

  /// An error for a refusal, too; then there may still be something to commit: see refused().
  Result<std::vector<LeaseRow>> named();
  Result<std::vector<LeaseRow>> any();
  /// The request was turned down although everything worked.
  [[nodiscard]] bool refused() const noexcept { return refused_; }

 private:
  Result<void> find_fresh();
  Result<void> find_rested();
  Result<std::uint64_t> cut_long_rests();
  Result<std::vector<LeaseRow>> refuse();
  Result<std::vector<LeaseRow>> write();
  Result<void> write_cursor(std::uint64_t cursor);
  Result<void> rebind(LeaseRow& row);

  [[nodiscard]] std::string pool() const { return "pool " + request_.pool; }
  [[nodiscard]] std::uint64_t found() const { return fresh_.size() + rested_.size(); }
  [[nodiscard]] std::uint64_t total() const {
    return request_.capacity > request_.first_index ? request_.capacity - request_.first_index : 0;
  }
  Error refusal(Errc code, std::string text) {
    refused_ = true;
    return Error::of(code, std::move(text));
  }

  Database& database_;
  const TakeRequest& request_;
  nanoseconds now_;
  std::int64_t rest_limit_;
  std::chrono::system_clock::time_point since_;
  TakeRefusal& refusal_;
  bool refused_ = false;

  std::vector<std::uint64_t> fresh_;
  std::vector<std::uint64_t> rested_;
  std::uint64_t first_free_ = 0;  ///< the cursor when nothing is taken
  std::uint64_t cursor_ = 0;      ///< the cursor when all of fresh_ is taken
};

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
  return write();
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
    if (found() == request_.count) {
      auto rows = write();
      if (!rows) return rows;
      if (auto done = write_cursor(cursor_); !done) return fail(std::move(done.error()));
      return rows;
    }
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

Result<std::vector<LeaseRow>> Taking::write() {
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
      "INSERT INTO pools VALUES(?, 0, ?)"
      " ON CONFLICT(pool) DO UPDATE SET leased=leased+excluded.leased");
  if (!counter) return fail(std::move(counter.error()));
  if (auto done = counter->bind(request_.pool).bind(found()).run(); !done) {
    return fail(std::move(done.error()));
  }
  return rows;
}

Result<void> Taking::write_cursor(std::uint64_t cursor) {
  auto update = database_.prepare("UPDATE pools SET next=?1 WHERE pool=?2 AND next<?1");
  if (!update) return fail(std::move(update.error()));
  return update->bind(cursor).bind(request_.pool).run();
}

}  // namespace

struct LeaseStore::Impl {
  std::unique_ptr<Database> database;
  Clock clock;

  /// Applies the settings and reads the version; 0 when the file holds nothing yet.
  [[nodiscard]] Result<std::uint64_t> prepare_connection() const;
  [[nodiscard]] Result<std::uint64_t> version() const;
  [[nodiscard]] Result<void> ensure_schema() const;
};

Result<std::uint64_t> LeaseStore::Impl::version() const {
  auto select = database->prepare("PRAGMA user_version");
  if (!select) return fail(std::move(select.error()));
  const auto version = read_number(*select);
  if (!version) return fail(version.error());
  const auto number = static_cast<std::uint64_t>(version->value_or(0));
  if (number > kSchemaVersion) {
    Error error =
        database->corrupt("version " + std::to_string(number) + ", newer than this program's " +
                          std::to_string(kSchemaVersion));
    return fail(std::move(error));
  }
  return number;
}

Result<std::uint64_t> LeaseStore::Impl::prepare_connection() const {
  if (auto done = database->execute(kSettings); !done) return fail(std::move(done.error()));
  return version();
}

Result<void> LeaseStore::Impl::ensure_schema() const {
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
  if (auto valid = check(request); !valid) return fail(std::move(valid.error()));
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
                                                  std::chrono::milliseconds cooldown) {
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
  if (!rows || rows->empty()) return rows;

  auto rest = database.prepare(update);
  if (!rest) return fail(std::move(rest.error()));
  rest->bind(later(impl_->clock(), cooldown)).bind(pool).bind(holder);
  if (index) rest->bind(*index);
  if (auto done = rest->run(); !done) return fail(std::move(done.error()));

  auto counter = database.prepare("UPDATE pools SET leased=leased-? WHERE pool=?");
  if (!counter) return fail(std::move(counter.error()));
  counter->bind(std::uint64_t{rows->size()});
  if (auto done = counter->bind(pool).run(); !done) return fail(std::move(done.error()));
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
