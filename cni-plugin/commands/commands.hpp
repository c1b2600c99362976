// SPDX-License-Identifier: Apache-2.0
/// The verbs. Each returns what goes to standard output.
#pragma once

#include <string>
#include <string_view>

#include <particle/node.hpp>

#include "attachment.hpp"
#include "errors.hpp"
#include "invocation.hpp"
#include "made_pools.hpp"
#include "netconf.hpp"
#include "plugin.hpp"

namespace particle::cni {

/// What every verb works with.
struct Call {
  const Invocation& invocation;
  const NetConf& conf;
  const Node& node;
  AttachmentStore store;
  const AfterStep& after;

  [[nodiscard]] AttachmentKey key() const {
    return {conf.name, invocation.container, invocation.ifname};
  }
  void step(std::string_view name) const {
    if (after) after(name);
  }
  /// libparticle's steps are reported like the plugin's own.
  [[nodiscard]] ApplyOptions apply_options() const {
    ApplyOptions options;
    if (after)
      options.after_step = [this](std::size_t, std::size_t, const Step& done) { after(done.name); };
    return options;
  }
  [[nodiscard]] MadePools made_pools() const { return {node, store.directory(), apply_options()}; }
};

Answer<std::string> add(const Call& call);
Answer<std::string> del(const Call& call);
Answer<std::string> check(const Call& call);
Answer<std::string> gc(const Call& call);
Answer<std::string> status(const Call& call);

}  // namespace particle::cni
