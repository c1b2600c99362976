// SPDX-License-Identifier: Apache-2.0
/// Attachment records: what a successful ADD leaves behind, for DEL, CHECK, GC and particle-runc.
///
///     <run dir>/cni/<node id>/attachments/<container id>/<network>.<ifname>.json
///
/// The key of the record is also the holder of the lease: one endpoint per (network, container id,
/// interface). A record exists before its lease is taken and until after it was released, so that
/// whatever a kill cuts off is found again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <particle/ip.hpp>
#include <particle/node.hpp>
#include <particle/result.hpp>

namespace particle::cni {

/// How a container gets at its endpoint.
enum class Attach : std::uint8_t {
  runtime,  ///< leased only; the OCI wrapper puts the container into the pool's namespace
  veth,     ///< a veth born in the container's own namespace (isolation container)
  stacked,  ///< the pool's namespace is mounted over CNI_NETNS
};
std::string_view to_string(Attach attach) noexcept;
Result<Attach> parse_attach(std::string_view text);

/// What CNI calls an attachment. `network` and `container` are of CNI's alphabet
/// (`[a-zA-Z0-9][a-zA-Z0-9_.-]*`); `ifname` is any device name.
struct AttachmentKey {
  std::string network;
  std::string container;
  std::string ifname;
  friend auto operator<=>(const AttachmentKey&, const AttachmentKey&) = default;

  /// The lease's holder: the three parts, escaped so that they cannot be confused, joined by dots.
  /// Errors: invalid_argument when it would be longer than a holder or a file name may be.
  [[nodiscard]] Result<std::string> holder() const;
  /// The reverse; nullopt for a holder that no attachment made.
  static std::optional<AttachmentKey> from_holder(std::string_view holder);
};

/// The Kubernetes pod behind a container, from CNI_ARGS; empty where none was named.
struct Pod {
  std::string space;  ///< K8S_POD_NAMESPACE
  std::string name;
  std::string uid;
  friend bool operator==(const Pod&, const Pod&) = default;
};

/// Version 1 of the record. Readers ignore fields they do not know and refuse later versions.
struct Attachment {
  AttachmentKey key;
  bool complete = false;  ///< false: ADD is at work, or was cut off
  std::string pool;
  std::string run_dir;  ///< of the node that has the pool: NodeOptions::run_dir
  Attach attach = Attach::runtime;
  std::string sandbox;          ///< CNI_NETNS as ADD got it
  std::string netns_path;       ///< the namespace with the endpoint; empty until complete
  std::optional<IpAddress> v4;  ///< unset until complete
  std::optional<IpAddress> v6;
  std::vector<IpPrefix> prefixes;  ///< of the addresses, as the result told them
  Pod pod;
  std::string cgroup_path;  ///< capability cgroupPath
  std::string enforce;      ///< the configuration's `enforce`
  friend bool operator==(const Attachment&, const Attachment&) = default;
};

inline constexpr int kAttachmentVersion = 1;

/// Pure; what parse_attachment reads back. Keys in a fixed order, one line.
std::string to_text(const Attachment& attachment);
/// Errors: corrupt_state, naming `path`; unsupported when a later version wrote it.
Result<Attachment> parse_attachment(std::string_view text, const std::string& path);

/// A record that cannot be read is found all the same.
struct FoundAttachment {
  AttachmentKey key;  ///< from the file's name
  Result<Attachment> attachment;
};

/// The records of one node. Every file is replaced atomically: reading needs no lock.
/// Threads: every member may be called concurrently, from any number of processes.
class AttachmentStore {
 public:
  /// Touches no file.
  static AttachmentStore of(const Node& node);
  AttachmentStore(std::string run_dir, const std::string& node_id);

  /// `<run dir>/cni/<node id>`
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  /// nullopt when there is none. Errors: io, corrupt_state, unsupported.
  [[nodiscard]] Result<std::optional<Attachment>> find(const AttachmentKey& key) const;
  /// Every attachment of a container (or sandbox) id, in whichever network; ordered by file name.
  [[nodiscard]] Result<std::vector<FoundAttachment>> of_container(
      const std::string& container) const;
  [[nodiscard]] Result<std::vector<FoundAttachment>> all() const;
  /// Errors: io, exhausted (disk full: the old record, or none, stays).
  [[nodiscard]] Result<void> write(const Attachment& attachment) const;
  /// A missing record is no error. Removes the directories that are empty then.
  [[nodiscard]] Result<void> remove(const AttachmentKey& key) const;
  /// The container ids that have records.
  [[nodiscard]] Result<std::vector<std::string>> containers() const;

 private:
  /// Removes the directories that are empty.
  void try_tidy(const std::string& container) const;
  [[nodiscard]] std::string container_directory(const std::string& container) const;
  [[nodiscard]] std::string path_of(const AttachmentKey& key) const;

  std::string directory_;
};

}  // namespace particle::cni
