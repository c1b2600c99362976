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

TEST_CASE("overlay contract: static with pools attached directly") {
  if (!need_namespaces()) return;
  run_contract([](std::size_t nodes) { return std::make_unique<StaticBed>(nodes); },
               Attachment::direct);
}

TEST_CASE("overlay static: a node that has another one's name is reached all the same, and named") {
  if (!need_namespaces()) return;
  StaticBed bed(2);
  bed.make_pool(0, "a", "acme", 7811, {"10.1.0.0/24"});
  const PoolInfo b = bed.make_pool(1, "b", "acme", 7811, {"10.1.1.0/24"});
  overlay::Announcement twin = bed.announcement(1, b);
  bed.withdraw(1, "b");
  twin.node = Bed::name_of(0);
  bed.announce(1, twin);
  CHECK(bed.learns(0, {twin}));
  const overlay::Health health = bed.adapter(0).health();
  CHECK(health.state == overlay::HealthState::degraded);
  REQUIRE(health.problems.size() == 1);
  CHECK(health.problems.front().find("192.0.2.2") != std::string::npos);
}

}  // namespace particle::test
