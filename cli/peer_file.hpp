// SPDX-License-Identifier: Apache-2.0
/// The other node's `show-pool --json`, as add-peer and remove-peer read it.
#pragma once

#include <optional>
#include <string>

#include <particle/peer.hpp>
#include <particle/pool.hpp>

namespace particle::cli {

struct PeerFile {
  Peer peer;
  Vni vni;
  std::optional<Mtu> mtu;
};

/// Pure. Errors: invalid_argument, with everything that is missing or wrong in details.
Result<PeerFile> parse_peer(const std::string& source, const std::string& text);
/// `-` is stdin. Errors: not_found, permission_denied, io, and those of parse_peer().
Result<PeerFile> read_peer_file(const std::string& path);
/// The content of a file of at most 1 MiB; `-` is stdin.
Result<std::string> read_text_file(const std::string& path);

}  // namespace particle::cli
