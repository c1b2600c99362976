// SPDX-License-Identifier: Apache-2.0
/// What `allocate-block`, `release-block` and `list-blocks` were asked for. The verbs read it; the
/// program particle-agent does it (see agent_program.hpp).
#pragma once

#include <map>
#include <string>

#include "options.hpp"
#include "overlay-adapters/etcd/allocation.hpp"

namespace CLI {
class App;
}

namespace particle::cli {

class Input;

struct BlocksRequest {
  enum class What { allocate, release, list };
  What what = What::list;
  std::map<std::string, std::string> settings;  ///< of the connection to etcd, by name
  overlay::BlockRequest wanted;                 ///< to allocate
  overlay::BlockFilter filter;                  ///< to release or list
};

/// The options of the connection to etcd, as they were given.
using EtcdOptions = std::map<std::string, Value>;
void add_etcd_options(CLI::App& verb, EtcdOptions& options);
/// Notes what is missing.
std::map<std::string, std::string> take_etcd_options(Input& input, const EtcdOptions& options);

/// In particle-agent: does it. In particle: becomes particle-agent.
Result<int> do_blocks(Context& context, const BlocksRequest& request);

}  // namespace particle::cli
