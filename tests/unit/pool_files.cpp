// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all, and locks on directories.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "files/dir_lock.hpp"
#include "files/files.hpp"
#include "support/fd_leak.hpp"

namespace particle {
namespace {

using namespace std::chrono_literals;

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "particle-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  [[nodiscard]] std::string at(const char* name) const { return path + "/" + name; }
  [[nodiscard]] std::vector<std::string> names() const { return list_directory(path).value(); }
  std::string path;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("files: a write replaces the whole content and leaves nothing beside it") {
  const Folder folder;
  const test::FdLeak fds;
  CHECK(write_file_atomically(folder.at("f"), "first, longer").has_value());
  CHECK(write_file_atomically(folder.at("f"), "second").has_value());
  CHECK(read_file(folder.at("f")).value() == "second");
  CHECK(folder.names() == Names{"f"});
  CHECK_FALSE(read_file(folder.at("none")).value().has_value());
  CHECK_FALSE(read_file(folder.at("f/below")).value().has_value());
  CHECK(fds.leaked() == Names{});
}

TEST_CASE("files: a reader sees the old content or the new one, never a mixture") {
  const Folder folder;
  const std::string a(100000, 'a');
  const std::string b(50000, 'b');
  REQUIRE(write_file_atomically(folder.at("f"), a).has_value());
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i) (void)write_file_atomically(folder.at("f"), i % 2 == 0 ? b : a);
    done = true;
  });
  std::size_t mixtures = 0;
  while (!done) {
    const auto seen = read_file(folder.at("f"));
    if (!seen || !*seen || (**seen != a && **seen != b)) ++mixtures;
  }
  writer.join();
  CHECK(mixtures == 0);
}

TEST_CASE("files: a write that fails changes nothing and leaves nothing") {
  const Folder folder;
  std::filesystem::create_directory(folder.at("taken"));
  std::ofstream(folder.at("taken/inner")) << "x";
  CHECK_FALSE(write_file_atomically(folder.at("taken"), "text").has_value());
  CHECK(write_file_atomically(folder.at("none/f"), "text").error().kind() == Errc::not_found);
  CHECK(folder.names() == Names{"taken"});
}

TEST_CASE("files: placing one makes the directories it needs") {
  const Folder folder;
  const test::FdLeak fds;
  CHECK(place_file(folder.at("a/b/f"), "first").has_value());
  CHECK(place_file(folder.at("a/b/f"), "second").has_value());
  CHECK(read_file(folder.at("a/b/f")).value() == "second");
  CHECK(list_directory(folder.at("a/b")).value() == Names{"f"});
  CHECK(place_file(folder.at("a/b/f/g"), "below a file").error().message().find("a/b/f") !=
        std::string::npos);
  CHECK(fds.leaked() == Names{});
}

TEST_CASE("files: placing one goes on where its directories are removed again and again") {
  const Folder folder;
  std::atomic<bool> stop = false;
  std::thread remover([&] {
    while (!stop) {
      ::rmdir(folder.at("d/e").c_str());
      ::rmdir(folder.at("d").c_str());
    }
  });
  for (int i = 0; i < 1000; ++i) {
    const auto placed = place_file(folder.at("d/e/f"), "x");
    INFO((placed ? std::string() : placed.error().message()));
    CHECK(placed.has_value());
    CHECK(remove_file(folder.at("d/e/f")).has_value());
  }
  stop = true;
  remover.join();
}

TEST_CASE("files: reading stops at the limit") {
  const Folder folder;
  REQUIRE(write_file_atomically(folder.at("f"), std::string(100, 'x')).has_value());
  CHECK(read_file(folder.at("f"), 100).value() == std::string(100, 'x'));
  CHECK(read_file(folder.at("f"), 99).error().kind() == Errc::corrupt_state);
}

TEST_CASE("files: temporary files of cut-off writers go once they are old, and nothing else") {
  const Folder folder;
  for (const char* name : {".new-old", ".new-young", "old"}) {
    REQUIRE(write_file_atomically(folder.at(name), "x").has_value());
    if (std::string(name).find("young") != std::string::npos) continue;
    const timespec times[2] = {{::time(nullptr) - 61, 0}, {::time(nullptr) - 61, 0}};
    REQUIRE(::utimensat(AT_FDCWD, folder.at(name).c_str(), times, 0) == 0);
  }
  const std::string cut_off = folder.at(".new-tree");
  REQUIRE(make_directory_with_file(cut_off + "/deep/pool", "intent.json", "x").has_value());
  const timespec times[2] = {{::time(nullptr) - 61, 0}, {::time(nullptr) - 61, 0}};
  REQUIRE(::utimensat(AT_FDCWD, cut_off.c_str(), times, 0) == 0);
  try_remove_temporaries(folder.path);
  CHECK(folder.names() == Names{".new-young", "old"});
  try_remove_temporaries(folder.at("none"));
}

TEST_CASE("files: a directory appears with its file in it, once") {
  const Folder folder;
  CHECK(make_directory_with_file(folder.at("deep/pool"), "intent.json", "one").has_value());
  CHECK(read_file(folder.at("deep/pool/intent.json")).value() == "one");
  const auto again = make_directory_with_file(folder.at("deep/pool"), "intent.json", "two");
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().kind() == Errc::already_exists);
  CHECK(read_file(folder.at("deep/pool/intent.json")).value() == "one");
  std::filesystem::create_directory(folder.at("deep/empty"));
  CHECK(make_directory_with_file(folder.at("deep/empty"), "f", "x").error().kind() ==
        Errc::already_exists);
  CHECK(list_directory(folder.at("deep")).value() == Names{"empty", "pool"});
}

TEST_CASE("files: of many who make the same directory one succeeds") {
  const Folder folder;
  std::atomic<int> made = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      if (make_directory_with_file(folder.at("pool"), "f", std::to_string(i))) ++made;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(made == 1);
  CHECK(folder.names() == Names{"pool"});
}

TEST_CASE("files: removal takes plain files, links and empty directories, and is repeatable") {
  const Folder folder;
  REQUIRE(make_directories(folder.at("d/empty")).has_value());
  REQUIRE(write_file_atomically(folder.at("d/f"), "x").has_value());
  REQUIRE(make_symlink("nowhere", folder.at("d/link")).has_value());
  CHECK(remove_flat_directory(folder.at("d")).has_value());
  CHECK(remove_flat_directory(folder.at("d")).has_value());
  REQUIRE(make_directories(folder.at("d/full/inner")).has_value());
  CHECK_FALSE(remove_flat_directory(folder.at("d")).has_value());
  CHECK(file_exists(folder.at("d/full/inner")));
  CHECK(remove_file(folder.at("none")).has_value());
}

TEST_CASE("files: a directory that is removed while it is listed is empty, not an error") {
  const Folder folder;
  const std::string path = folder.at("gone");
  REQUIRE(::mkdir(path.c_str(), 0755) == 0);
  const UniqueFd held(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(::rmdir(path.c_str()) == 0);
  // As whoever opened it before it went sees it.
  const auto entries = list_directory("/proc/self/fd/" + std::to_string(held.get()));
  REQUIRE(entries.has_value());
  CHECK(entries->empty());
}

TEST_CASE("files: a link that is there with the same target is no error, with another it is") {
  const Folder folder;
  CHECK(make_symlink("target", folder.at("deep/link")).has_value());
  CHECK(make_symlink("target", folder.at("deep/link")).has_value());
  CHECK(make_symlink("other", folder.at("deep/link")).error().kind() == Errc::already_exists);
  CHECK(read_symlink(folder.at("deep/link")) == "target");
  CHECK(file_exists(folder.at("deep/link")));
  CHECK_FALSE(read_symlink(folder.at("deep")).has_value());
}

TEST_CASE("lock: exclusive shuts everybody out, shared only the exclusive") {
  const Folder folder;
  using Mode = DirLock::Mode;
  const auto free_for = [&](Mode mode) {
    const auto lock = DirLock::try_acquire(folder.path, mode);
    REQUIRE(lock.has_value());
    return lock->has_value();
  };
  {
    const auto held = DirLock::acquire(folder.path, Mode::exclusive, false);
    REQUIRE(held.has_value());
    CHECK_FALSE(free_for(Mode::shared));
    CHECK_FALSE(free_for(Mode::exclusive));
  }
  {
    const auto held = DirLock::acquire(folder.path, Mode::shared, false);
    CHECK(free_for(Mode::shared));
    CHECK_FALSE(free_for(Mode::exclusive));
  }
  CHECK(free_for(Mode::exclusive));
  CHECK(folder.names() == Names{});
}

TEST_CASE("lock: a missing directory is made when asked, and not found otherwise") {
  const Folder folder;
  const std::string path = folder.at("a/b");
  CHECK(DirLock::acquire(path, DirLock::Mode::shared, false).error().kind() == Errc::not_found);
  CHECK_FALSE(DirLock::try_acquire(path, DirLock::Mode::shared)->has_value());
  CHECK(DirLock::acquire(path, DirLock::Mode::shared, true).has_value());
  CHECK(std::filesystem::is_directory(path));
  std::ofstream(folder.at("file")) << "x";
  CHECK_FALSE(DirLock::acquire(folder.at("file"), DirLock::Mode::shared, true).has_value());
}

TEST_CASE(
    "lock: who waits for a directory that its holder removes gets the new one, or not found") {
  const Folder folder;
  const std::string path = folder.at("d");
  for (const bool create : {true, false}) {
    auto held = DirLock::acquire(path, DirLock::Mode::exclusive, true);
    REQUIRE(held.has_value());
    bool got = false;
    bool same = false;
    std::thread waiter([&] {
      const auto lock = DirLock::acquire(path, DirLock::Mode::exclusive, create);
      got = lock.has_value();
      // What was got is the lock of the directory that has the name now.
      same = got && !DirLock::try_acquire(path, DirLock::Mode::shared)->has_value();
    });
    std::this_thread::sleep_for(50ms);
    CHECK(rmdir(path.c_str()) == 0);
    *held = DirLock();
    waiter.join();
    CHECK(got == create);
    CHECK(same == create);
    CHECK(file_exists(path) == create);
  }
}

TEST_CASE("lock: threads that each remove and make the directory never hold it together") {
  const Folder folder;
  std::atomic<int> inside = 0;
  std::atomic<int> clashes = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        const auto lock = DirLock::acquire(folder.at("d"), DirLock::Mode::exclusive, true);
        if (!lock || inside.fetch_add(1) != 0) ++clashes;
        inside.fetch_sub(1);
        rmdir(folder.at("d").c_str());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(clashes == 0);
}

}  // namespace particle
