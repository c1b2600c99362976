// SPDX-License-Identifier: Apache-2.0
#include "pool/lease_database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace particle::leases {
namespace {

using std::chrono::microseconds;

constexpr std::chrono::seconds kLockPatience{10};
constexpr microseconds kLongestPoll{500};
constexpr microseconds kShortestPoll{50};

constexpr const char* kGcHint =
    "`particle gc` checks the node's records and removes what cannot be read";

/// Random, so that waiting connections do not meet again. A queue in the kernel (flock or an OFD
/// lock before BEGIN) was tried with 32 processes on 2 cores: the median halves, but a process that
/// is running overtakes the one just woken, which then queues up again last, and the slowest
/// hundredth waits 11-20 medians instead of 5. Polling faster with age changed nothing measurable.
microseconds next_poll(std::uint64_t random) noexcept {
  constexpr auto kSpan = static_cast<std::uint64_t>((kLongestPoll - kShortestPoll).count());
  return kShortestPoll + microseconds{random % (kSpan + 1)};
}

/// SQLite's last try is to open a file that it could not make, which hides why it could not.
void refine_missing(const std::string& path, Error& error) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0 || errno == ENOENT)
    return;
  error.code = {errno, std::generic_category()};
  error.details = {folder + " cannot be written: " + error.code.message()};
  error.hint = "run as the run directory's owner";
}

std::uint64_t xorshift(std::uint64_t value) noexcept {
  value ^= value << 13U;
  value ^= value >> 7U;
  value ^= value << 17U;
  return value;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(std::uint64_t value) noexcept {
  return bind(static_cast<std::int64_t>(value));
}

Statement& Statement::bind(std::int64_t value) noexcept {
  sqlite3_bind_int64(statement_.get(), ++bound_, value);
  return *this;
}

Statement& Statement::bind(std::string_view text) noexcept {
  sqlite3_bind_text64(statement_.get(), ++bound_, text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_null() noexcept {
  sqlite3_bind_null(statement_.get(), ++bound_);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  bound_ = 0;
  if (code != SQLITE_DONE) {
    Error error = database_->error(code);
    sqlite3_reset(statement_.get());
    return fail(std::move(error));
  }
  sqlite3_reset(statement_.get());
  return false;
}

Result<void> Statement::run() {
  for (;;) {
    auto row = step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) return {};
  }
}

std::uint64_t Statement::number(int column) const noexcept {
  return static_cast<std::uint64_t>(signed_number(column));
}

std::int64_t Statement::signed_number(int column) const noexcept {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

bool Statement::is_null(int column) const noexcept {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, bool create) {
  std::unique_ptr<Database> database{new Database{path}};
  // NOMUTEX: one thread at a time uses a connection, so SQLite need not lock for it.
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  if (create) flags |= SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &database->handle_, flags, nullptr);
  if (code != SQLITE_OK) {
    Error error = database->error(code);
    if (create && error.kind() == Errc::not_found) refine_missing(path, error);
    return fail(std::move(error));
  }
  sqlite3_extended_result_codes(database->handle_, 1);
  sqlite3_busy_handler(database->handle_, wait_for_lock, &database->wait_);
  return database;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

Result<void> Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), 0, &statement, nullptr);
  if (code != SQLITE_OK) return fail(error(code));
  return Statement{statement, *this};
}

std::uint64_t Database::changes() const noexcept {
  return static_cast<std::uint64_t>(sqlite3_changes64(handle_));
}

Error Database::corrupt(std::string reason) const {
  Error error = Error::of(Errc::corrupt_state, "lease store " + path_, kGcHint);
  error.details.push_back(std::move(reason));
  return error;
}

Error Database::error(int code) const {
  const std::string operation = "lease store " + path_;
  const std::string text = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  const int cause = handle_ == nullptr ? 0 : sqlite3_system_errno(handle_);
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error::of(Errc::busy, operation + ": locked by another process for 10 s",
                       "see who has it open: fuser " + path_);
    case SQLITE_FULL:
      return Error::from_errno(ENOSPC, operation,
                               "free some space in the run directory's file system");
    case SQLITE_NOMEM:
      return Error::from_errno(ENOMEM, operation);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: {
      Error error =
          Error::of(Errc::permission_denied, operation, "run as the run directory's owner");
      error.details.push_back(text);
      return error;
    }
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR: {
      if (cause == EFBIG || cause == EDQUOT) return Error::from_errno(ENOSPC, operation);
      Error error = Error::from_errno(cause, operation);
      if (cause == 0 || error.kind() == Errc::kernel) error.code = make_error_code(Errc::io);
      error.details.push_back(text);
      if (cause != 0) error.details.push_back(std::generic_category().message(cause));
      return error;
    }
    // What remains says that the file is not ours: no database, damaged, other tables.
    default:
      return corrupt(text);
  }
}

int Database::wait_for_lock(void* data, int attempts) noexcept {
  auto& wait = *static_cast<Wait*>(data);
  const auto now = std::chrono::steady_clock::now();
  if (attempts == 0) wait.since = now;
  if (wait.random == 0) {
    timespec seed{};
    clock_gettime(CLOCK_MONOTONIC, &seed);
    wait.random = static_cast<std::uint64_t>(seed.tv_nsec) * 0x9e3779b97f4a7c15U | 1U;
  }
  if (now - wait.since >= kLockPatience) return 0;
  wait.random = xorshift(wait.random);
  const auto pause = next_poll(wait.random >> 11U);
  const timespec time{0, std::chrono::nanoseconds{pause}.count()};
  nanosleep(&time, nullptr);
  return 1;
}

Result<Transaction> Transaction::begin(Database& database) {
  // IMMEDIATE: the write lock comes first, so nobody waits for it with a stale view in hand.
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun)
    return fail(std::move(begun.error()));
  return Transaction{database};
}

Transaction::~Transaction() {
  if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  if (auto committed = database_->execute("COMMIT"); !committed) return committed;
  database_ = nullptr;
  return {};
}

}  // namespace particle::leases
