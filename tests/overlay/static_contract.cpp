// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "overlay/contract.hpp"

namespace particle::test {
namespace {

/// One file for all nodes, as an administrator would distribute it.
class StaticBed final : public Bed {
 public:
  explicit StaticBed(std::size_t nodes) : Bed("static", nodes) { write(); }

  [[nodiscard]] std::map<std::string, std::string> settings(std::size_t /*node*/) override {
    return {{"peers", path()}};
  }
  void announced(std::size_t /*node*/, const overlay::Announcement& what) override {
    std::erase_if(list_, [&](const overlay::Announcement& one) { return same_pool(one, what); });
    list_.push_back(what);
    stale_ = true;
  }
  void withdrawn(std::size_t node, const std::string& pool) override {
    std::erase_if(list_, [&](const overlay::Announcement& one) {
      return one.node == name_of(node) && one.pool == pool;
    });
    stale_ = true;
  }
  void before_view() override {
    if (std::exchange(stale_, false)) write_and_reload();
  }
  void lose() override {
    before_view();
    std::ofstream(path(), std::ios::trunc) << R"({"peers": [{"tenant": "acme")";
    for (std::size_t i = 0; i < size(); ++i) {
      CHECK_FALSE(adapter(i).reload());
      CHECK(adapter(i).health().state == overlay::HealthState::degraded);
    }
  }
  void regain() override { write_and_reload(); }

 private:
  [[nodiscard]] std::string path() const { return directory() + "/peers.json"; }
  static bool same_pool(const overlay::Announcement& a, const overlay::Announcement& b) {
    return a.node == b.node && a.pool == b.pool;
  }
  void write() const {
    std::ofstream file(path(), std::ios::trunc);
    file << "{\"peers\": [";
    for (std::size_t i = 0; i < list_.size(); ++i)
      file << (i == 0 ? "\n" : ",\n") << to_json(list_[i]);
    file << "\n]}\n";
  }
  void write_and_reload() {
    write();
    for (std::size_t i = 0; i < size(); ++i) must(adapter(i).reload());
  }

  std::vector<overlay::Announcement> list_;
  bool stale_ = false;  ///< the file does not say yet what list_ does
};

}  // namespace

TEST_CASE("overlay contract: static") {
  if (!need_namespaces()) return;
  run_contract([](std::size_t nodes) { return std::make_unique<StaticBed>(nodes); });
}

}  // namespace particle::test
