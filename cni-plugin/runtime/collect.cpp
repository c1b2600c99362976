// SPDX-License-Identifier: Apache-2.0
#include <particle_runtime/collect.hpp>

#include <cstdio>
#include <filesystem>

#include <unistd.h>

#include "attachment.hpp"
#include "call.hpp"
#include "container_enforcement.hpp"
#include "endpoint.hpp"
#include "made_pools.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

namespace fs = std::filesystem;

using Findings = std::vector<GcFinding>;

std::vector<std::string> names_in(const std::string& directory) {
  std::error_code failed;
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, failed)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

bool container_exists(const Record& record) {
  return exists(record.root + "/" + record.id);
}

class Collection {
 public:
  Collection(const Node& node, bool dry_run)
      : node_(node), dry_run_(dry_run), enforcement_(settings_) {
    settings_.run_dir = node.run_dir();
  }

  Findings run() {
    const std::string all = node_.run_dir() + "/runtime";
    for (const std::string& id : names_in(all)) {
      // What a node that is gone had went with it, but for its records.
      if (id != node_.id() && exists(node_.run_dir() + "/node-" + id)) continue;
      for (const std::string& holder : names_in(all + "/" + id)) {
        look_at_container(record_place(node_.run_dir(), id, holder), holder);
      }
      // Left empty by a wrapper that was killed between making it and a directory in it.
      if (!dry_run_) ::rmdir((all + "/" + id).c_str());
    }
    if (!dry_run_) ::rmdir(all.c_str());
    look_at_attachments();
    const cni::MadePools made(node_, cni::AttachmentStore::of(node_).directory());
    for (GcFinding& finding : made.collect(dry_run_)) findings_.push_back(std::move(finding));
    return std::move(findings_);
  }

 private:
  void add(GcAction action, const std::string& object, const std::string& reason) {
    findings_.push_back({action, object, reason});
  }

  void look_at_container(const RecordPlace& place, const std::string& holder) {
    const auto lock = DirectoryLock::try_make(place.directory);
    if (!lock || !*lock) return;  // at work
    const auto record = read_record(place);
    if (record && *record && container_exists(**record)) return;
    const std::string object = "container " + holder;
    if (!dry_run_) {
      if (auto done = discard(node_, place, holder, **lock, &enforcement_); !done) {
        return add(GcAction::kept, object, done.error().message());
      }
    }
    add(GcAction::removed, object, "its runtime does not know it any more");
  }

  void look_at_attachments() {
    const auto store = cni::AttachmentStore::of(node_);
    const auto records = store.all();
    if (!records) return add(GcAction::kept, "CNI attachments", records.error().message());
    for (const cni::FoundAttachment& found : *records) {
      // One that is not complete is being made, or the runtime's next DEL ends it.
      if (!found.attachment || !found.attachment->complete) continue;
      if (!exists(found.attachment->sandbox)) give_back(store, *found.attachment);
    }
  }

  void give_back(const cni::AttachmentStore& store, const cni::Attachment& attachment) {
    const std::string object =
        "CNI attachment " + attachment.key.network + " of " + attachment.key.container;
    const auto holder = attachment.key.holder();
    if (!dry_run_) {
      auto done = holder ? release_all(node_, *holder) : fail(holder.error());
      if (done) done = store.remove(attachment.key);
      if (!done) return add(GcAction::kept, object, done.error().message());
    }
    add(GcAction::removed, object, attachment.sandbox + " is gone");
  }

  const Node& node_;
  bool dry_run_;
  Settings settings_;
  ContainerEnforcement enforcement_;
  Findings findings_;
};

}  // namespace

std::vector<GcFinding> collect_containers(const Node& node, bool dry_run) {
  return Collection(node, dry_run).run();
}

bool is_recorded(const Node& node, const Lease& lease) {
  if (exists(record_place(node.run_dir(), node.id(), lease.holder).directory)) return true;
  const auto key = cni::AttachmentKey::from_holder(lease.holder);
  if (!key) return false;
  const auto found = cni::AttachmentStore::of(node).find(*key);
  return !found || found->has_value();
}

int collect_garbage(const Settings& settings) {
  const auto node = Node::open({settings.run_dir});
  if (!node) return report_failure({}, node.error());
  bool undone = true;
  for (const GcFinding& finding : collect_containers(*node, false)) {
    undone = undone && finding.action != GcAction::kept;
    std::printf("%s %s: %s\n", std::string(to_string(finding.action)).c_str(),
                finding.object.c_str(), finding.reason.c_str());
  }
  return undone ? 0 : kExitFailure;
}

}  // namespace particle::runtime
