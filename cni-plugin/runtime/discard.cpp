// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>

#include <unistd.h>

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

bool container_exists(const Record& record) {
  return exists(record.root + "/" + record.id);
}

/// Looks at one container's directory. False when something could not be undone.
bool collect(const RecordPlace& place, const std::string& holder, const Node& node,
             BindEnforcement* enforcement) {
  const auto lock = DirectoryLock::try_make(place.directory);
  if (!lock || !*lock) return true;  // at work
  const auto record = read_record(place);
  if (record && *record && container_exists(**record)) return true;
  if (auto done = discard(node, place, holder, **lock, enforcement); !done) {
    std::printf("kept %s: %s\n", holder.c_str(), done.error().message().c_str());
    return false;
  }
  std::printf("removed %s: its container is gone\n", holder.c_str());
  return true;
}

std::vector<std::string> names_in(const std::string& directory) {
  std::error_code failed;
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, failed)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

}  // namespace

Result<void> discard(const Node& node, const RecordPlace& place, const std::string& holder,
                     const DirectoryLock& lock, BindEnforcement* enforcement) {
  // A record that cannot be read is no reason to keep a lease: the directory's name is the holder.
  const auto record = read_record(place);
  if (record && *record) {
    if (auto done = restore_bundle(place, **record); !done) return done;
  }
  // Before the lease: nobody else may have the address while the enforcement allows it to these.
  if (enforcement != nullptr) {
    if (auto done = enforcement->release(place.directory); !done) return done;
  }
  if (auto done = release_all(node, holder); !done) return done;
  return lock.remove_directory();
}

int collect_garbage(const Settings& settings, BindEnforcement* enforcement) {
  const auto node = Node::open({settings.run_dir});
  if (!node) return report_failure({}, node.error());
  const std::string all = settings.run_dir + "/runtime";
  bool undone = true;
  for (const std::string& node_id : names_in(all)) {
    // The leases of another node, that is, of another network namespace, are out of reach from here;
    // those of a node that is gone went with it.
    if (node_id != node->id() && exists(settings.run_dir + "/node-" + node_id)) continue;
    for (const std::string& holder : names_in(all + "/" + node_id)) {
      const RecordPlace place = record_place(settings.run_dir, node_id, holder);
      undone = collect(place, holder, *node, enforcement) && undone;
    }
    // Left empty by a wrapper that was killed between making it and a directory in it.
    ::rmdir((all + "/" + node_id).c_str());
  }
  ::rmdir(all.c_str());
  return undone ? 0 : kExitFailure;
}

}  // namespace particle::runtime
