// SPDX-License-Identifier: Apache-2.0
#include "harness/open_node.hpp"

#include <optional>
#include <utility>

namespace particle::bench {

Result<Node> open_node(const NetNs& netns, const std::string& run_dir) {
  std::optional<Node> node;
  auto ran = netns.run([&]() -> Result<void> {
    auto opened = Node::open({.run_dir = run_dir});
    if (!opened) return fail(std::move(opened.error()));
    node.emplace(std::move(*opened));
    return {};
  });
  if (!ran) return fail(std::move(ran.error()));
  return std::move(*node);
}

}  // namespace particle::bench
