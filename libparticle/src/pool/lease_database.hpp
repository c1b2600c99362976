// SPDX-License-Identifier: Apache-2.0
/// The little of SQLite that the lease store needs, with its failures as `Error`s.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <particle/result.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace particle::leases {

class Database;

/// A prepared statement. Values are bound in the order of the `?`s.
class Statement {
 public:
  Statement& bind(std::uint64_t value) noexcept;
  Statement& bind(std::int64_t value) noexcept;
  /// The text must outlive the next step().
  Statement& bind(std::string_view text) noexcept;
  Statement& bind_null() noexcept;

  /// True when there is a row to read.
  Result<bool> step();
  /// Runs to the end and makes the statement ready for new values.
  Result<void> run();

  [[nodiscard]] std::uint64_t number(int column) const noexcept;
  [[nodiscard]] std::int64_t signed_number(int column) const noexcept;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] bool is_null(int column) const noexcept;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  Statement(sqlite3_stmt* statement, const Database& database) noexcept
      : statement_{statement}, database_{&database} {}
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  const Database* database_;
  int bound_ = 0;
};

class Database {
 public:
  /// Opens the file without reading it.
  static Result<std::unique_ptr<Database>> open(const std::string& path, bool create);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  Result<void> execute(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  /// Rows that the last statement inserted, altered or deleted.
  [[nodiscard]] std::uint64_t changes() const noexcept;

  [[nodiscard]] Error error(int code) const;
  [[nodiscard]] Error corrupt(std::string reason) const;

 private:
  /// How long this connection has been waiting for another one's lock.
  struct Wait {
    std::chrono::steady_clock::time_point since;
    std::uint64_t random = 0;
  };
  static int wait_for_lock(void* data, int attempts) noexcept;

  explicit Database(std::string path) : path_{std::move(path)} {}
  std::string path_;
  sqlite3* handle_ = nullptr;
  Wait wait_;
};

/// Holds the write lock; what was written is undone unless commit() succeeds.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_{std::exchange(other.database_, nullptr)} {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Database& database) noexcept : database_{&database} {}
  Database* database_;
};

}  // namespace particle::leases
