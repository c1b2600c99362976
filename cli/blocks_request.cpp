// SPDX-License-Identifier: Apache-2.0
#include "blocks_request.hpp"

#include "agent_program.hpp"
#include "input.hpp"

namespace particle::cli {

void add_etcd_options(CLI::App& verb, EtcdOptions& options) {
  for (const overlay::Setting& setting : overlay::etcd_connection_settings()) {
    const std::string name(setting.name);
    add_value(verb, "--" + name, options[name], std::string(setting.type),
              std::string(setting.help));
  }
}

std::map<std::string, std::string> take_etcd_options(Input& input, const EtcdOptions& options) {
  std::map<std::string, std::string> out;
  for (const overlay::Setting& setting : overlay::etcd_connection_settings()) {
    const auto found = options.find(std::string(setting.name));
    if (found != options.end() && found->second) {
      out.emplace(found->first, found->second.text);
    } else if (setting.required) {
      input.missing("--" + std::string(setting.name));
    }
  }
  return out;
}

Result<int> do_blocks(Context& context, const BlocksRequest& request) {
  if (context.agent_verbs.run_blocks != nullptr) {
    return context.agent_verbs.run_blocks(context, request);
  }
  return fail(become_agent(context));
}

}  // namespace particle::cli
