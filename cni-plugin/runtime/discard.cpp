// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"
#include "endpoint.hpp"

namespace particle::runtime {
namespace {

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

}  // namespace particle::runtime
