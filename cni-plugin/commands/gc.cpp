// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>

#include "commands/commands.hpp"
#include "detach.hpp"
#include "node_sweep.hpp"

namespace particle::cni {
namespace {

/// Every attachment of the network that has left a trace: a record, or a lease whose record is gone.
Answer<std::set<AttachmentKey>> traces(const Call& call) {
  std::set<AttachmentKey> keys;
  auto records = call.store.all();
  if (!records) return refuse(translate(records.error(), "GC"));
  for (const auto& record : *records) {
    if (record.key.network == call.conf.name) keys.insert(record.key);
  }
  auto leases = call.node.leases();
  if (!leases) return refuse(translate(leases.error(), "GC"));
  for (const auto& lease : *leases) {
    auto key = AttachmentKey::from_holder(lease.holder);
    if (key && key->network == call.conf.name) keys.insert(*std::move(key));
  }
  return keys;
}

}  // namespace

Answer<std::string> gc(const Call& call) {
  // A runtime that says nothing does not say "nothing is valid".
  if (!call.conf.valid_attachments) {
    if (call.conf.fault) return refuse(*call.conf.fault);
    return refuse(Code::invalid_config, "GC: \"cni.dev/valid-attachments\" is missing",
                  "an empty list would remove every attachment of the network");
  }
  auto keys = traces(call);
  if (!keys) return refuse(std::move(keys.error()));
  const std::set<ValidAttachment> valid(call.conf.valid_attachments->begin(),
                                        call.conf.valid_attachments->end());
  std::string failures;
  Code code = Code::internal;
  for (const auto& key : *keys) {
    if (valid.contains({key.container, key.ifname})) continue;
    auto detached = detach(call, key, {});
    if (detached) continue;
    code = detached.error().code;
    failures += (failures.empty() ? "" : "; ") + detached.error().message;
  }
  const MadePools made = call.made_pools();
  made.try_retire_abandoned(call.conf.name, call.conf.keep_pool);
  made.try_sweep();
  try_sweep_nodes(call.node.run_dir(), call.node.id());
  if (!failures.empty()) return refuse(code, "GC: " + failures, "everything else was released");
  return std::string();
}

}  // namespace particle::cni
