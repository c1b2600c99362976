// SPDX-License-Identifier: Apache-2.0
/// What the tests of the lease store have in common: a folder, a clock that stands still, short requests.
#pragma once

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pool/lease_store.hpp"

namespace particle::test::lease {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// A folder with a lease store that is gone afterwards.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "particle-lease-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) FAIL("mkdtemp");
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  [[nodiscard]] std::string file() const { return path + "/leases.db"; }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  std::string path;
};

template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message());
  return std::move(*result);
}

/// A store whose time stands still until it is told otherwise.
struct Clocked {
  std::shared_ptr<nanoseconds> now = std::make_shared<nanoseconds>(1h);
  Folder folder;
  LeaseStore store = must(LeaseStore::open(folder.file(), [now = now] { return *now; }));
};

inline TakeRequest request(std::string holder, std::uint64_t capacity, std::uint64_t count = 1) {
  TakeRequest request;
  request.pool = "acme";
  request.holder = std::move(holder);
  request.count = count;
  request.capacity = capacity;
  return request;
}

inline TakeRequest named(std::string holder, std::uint64_t index, std::uint64_t capacity = 10) {
  TakeRequest one = request(std::move(holder), capacity);
  one.index = index;
  return one;
}

inline std::vector<std::uint64_t> indices(const std::vector<LeaseRow>& rows) {
  std::vector<std::uint64_t> list;
  list.reserve(rows.size());
  for (const auto& row : rows) list.push_back(row.index);
  return list;
}

inline std::vector<std::uint64_t> taken(LeaseStore& store, const TakeRequest& request) {
  return indices(must(store.take(request)));
}

using Indices = std::vector<std::uint64_t>;

/// Runs statements behind the store's back; the last value they yield.
inline std::string sql(const std::string& file, const char* text) {
  std::string last;
  const auto keep = [](void* to, int columns, char** values, char**) {
    if (columns > 0 && values[0] != nullptr) *static_cast<std::string*>(to) = values[0];
    return 0;
  };
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
  CHECK(sqlite3_exec(handle, text, keep, &last, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
  return last;
}

}  // namespace particle::test::lease
