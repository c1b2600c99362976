// SPDX-License-Identifier: Apache-2.0
/// What the wrapper remembers of a container between `create` and `delete`.
///
///     <run dir>/runtime/<node id>/<holder>/
///       record.json    this record; exists before the lease is taken and until it was given back
///       config.json    the bundle's own, as it was
///       hosts          what is mounted on the container's /etc/hosts
///
/// The directory's lock (files.hpp) is held for as long as the container is being made or deleted.
#pragma once

#include <optional>
#include <string>

#include <particle/result.hpp>

namespace particle::runtime {

struct Record {
  std::string id;      ///< the container's
  std::string root;    ///< of the real runtime: the same id below another root is another container
  std::string bundle;  ///< absolute
  std::string node;    ///< Node::id()
  std::string pool;
  std::string holder;     ///< of the lease; not the directory's name where CNI took the lease
  std::string rewritten;  ///< checksum of the config.json that we wrote; empty: none yet
  friend bool operator==(const Record&, const Record&) = default;
};

std::string to_text(const Record& record);
/// Errors: corrupt_state, naming `path`; unsupported when a later version wrote it.
Result<Record> parse_record(const std::string& text, const std::string& path);

/// The lease's holder and the directory's name: the id, as far as holders may be written like it,
/// and a checksum of the id and the root, which makes it unique: "web-1.5f3a9c42d1e0".
std::string holder_name(const std::string& root, const std::string& id);
/// A hash of 64 bits, as 16 hexadecimal digits. Tells texts apart; no defence against forgery.
std::string checksum(const std::string& text);

/// Paths of one container's directory.
struct RecordPlace {
  std::string directory;
  [[nodiscard]] std::string record() const { return directory + "/record.json"; }
  [[nodiscard]] std::string original() const { return directory + "/config.json"; }
  [[nodiscard]] std::string hosts() const { return directory + "/hosts"; }
};
RecordPlace record_place(const std::string& run_dir, const std::string& node_id,
                         const std::string& holder);

/// nullopt when there is none. Errors: corrupt_state, unsupported, io.
Result<std::optional<Record>> read_record(const RecordPlace& place);
Result<void> write_record(const RecordPlace& place, const Record& record);

}  // namespace particle::runtime
