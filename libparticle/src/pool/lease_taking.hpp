// SPDX-License-Identifier: Apache-2.0
/// Which endpoints a lease gets: never-used ones first, then those that have rested longest.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "pool/lease_rows.hpp"

namespace particle::leases {

/// Errors: invalid_argument.
Result<void> check(const TakeRequest& request);

/// One take, inside a transaction. Decides by reading; writes once the outcome is certain.
class Taking {
 public:
  Taking(Database& database, const TakeRequest& request, std::chrono::nanoseconds now,
         TakeRefusal& refusal)
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
  /// Moves the pool's cursor to `cursor`, too, where that is forward.
  Result<std::vector<LeaseRow>> write(std::uint64_t cursor);
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
  std::chrono::nanoseconds now_;
  std::int64_t rest_limit_;
  std::chrono::system_clock::time_point since_;
  TakeRefusal& refusal_;
  bool refused_ = false;

  std::vector<std::uint64_t> fresh_;
  std::vector<std::uint64_t> rested_;
  std::uint64_t first_free_ = 0;  ///< the cursor when nothing is taken
  std::uint64_t cursor_ = 0;      ///< the cursor when all of fresh_ is taken
};

}  // namespace particle::leases
