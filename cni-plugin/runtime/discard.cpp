// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>

#include "call.hpp"
#include "endpoint.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

namespace fs = std::filesystem;

/// Puts the bundle's own config.json back, unless somebody has changed or removed it since.
Result<void> restore_bundle(const RecordPlace& place, const Record& record) {
  if (record.rewritten.empty()) return {};
  const std::string path = record.bundle + "/config.json";
  const auto present = read_file(path);
  const auto original = read_file(place.original());
  if (!present || !*present || !original || !*original) return {};
  if (checksum(**present) != record.rewritten) return {};
  return replace_file(path, **original);
}

/// The leases of another node, that is, of another network namespace, are out of reach from here.
Result<void> check_node(const Settings& settings, const Record& record, const Node& node) {
  if (record.node == node.id() || !exists(settings.run_dir + "/node-" + record.node)) return {};
  return fail(Error::of(Errc::conflict, "give back the lease of " + record.holder,
                        "it was made in another network namespace: run `particle-runc "
                        "--particle-gc` there"));
}

bool container_exists(const Record& record) {
  return exists(record.root + "/" + record.id);
}

/// Looks at one directory below <run dir>/runtime. False when something could not be undone.
bool collect(const Settings& settings, const std::string& holder) {
  const RecordPlace place = record_place(settings.run_dir, holder);
  const auto lock = DirectoryLock::try_make(place.directory);
  if (!lock || !*lock) return true;  // at work
  const auto record = read_record(place);
  if (record && *record && container_exists(**record)) return true;
  if (auto done = discard(settings, place, holder, **lock); !done) {
    std::printf("kept %s: %s\n", holder.c_str(), done.error().message().c_str());
    return false;
  }
  std::printf("removed %s: its container is gone\n", holder.c_str());
  return true;
}

}  // namespace

Result<void> discard(const Settings& settings, const RecordPlace& place, const std::string& holder,
                     const DirectoryLock& lock) {
  const auto node = Node::open({settings.run_dir});
  if (!node) return fail(node.error());
  // A record that cannot be read is no reason to keep a lease: the directory's name is the holder.
  const auto record = read_record(place);
  if (record && *record) {
    if (auto ok = check_node(settings, **record, *node); !ok) return ok;
    if (auto done = restore_bundle(place, **record); !done) return done;
  }
  if (auto done = release_all(*node, holder); !done) return done;
  return lock.remove_directory();
}

int collect_garbage(const Settings& settings) {
  bool all = true;
  std::error_code failed;
  std::vector<std::string> holders;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(settings.run_dir + "/runtime", failed)) {
    holders.push_back(entry.path().filename().string());
  }
  for (const std::string& holder : holders) all = collect(settings, holder) && all;
  return all ? 0 : kExitFailure;
}

}  // namespace particle::runtime
