// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "attachment.hpp"
#include "files/files.hpp"

namespace particle::cni {
namespace {

constexpr std::string_view kEnding = ".json";

/// `<network>.<ifname>.json` of the container whose directory it is in.
std::optional<AttachmentKey> key_of(const std::string& container, const std::string& file) {
  if (!file.ends_with(kEnding)) return std::nullopt;
  const std::string stem = file.substr(0, file.size() - kEnding.size());
  const auto dot = stem.find('.');
  if (dot == std::string::npos) return std::nullopt;
  auto key = AttachmentKey::from_holder(stem.substr(0, dot) + ".c" + stem.substr(dot));
  if (key) key->container = container;
  return key;
}

}  // namespace

AttachmentStore AttachmentStore::of(const Node& node) {
  return {node.run_dir(), node.id()};
}

AttachmentStore::AttachmentStore(std::string run_dir, const std::string& node_id)
    : directory_(std::move(run_dir) + "/cni/" + node_id) {}

std::string AttachmentStore::container_directory(const std::string& container) const {
  // CNI's alphabet has no slash and begins with a letter or digit: safe as it is.
  return directory_ + "/attachments/" + container;
}

std::string AttachmentStore::path_of(const AttachmentKey& key) const {
  // The holder is network.container.ifname, each free of dots: leave out the middle.
  const std::string holder = key.holder().value_or(std::string("invalid.invalid.invalid"));
  return container_directory(key.container) + "/" + holder.substr(0, holder.find('.')) +
         holder.substr(holder.rfind('.')) + std::string(kEnding);
}

Result<std::optional<Attachment>> AttachmentStore::find(const AttachmentKey& key) const {
  const std::string path = path_of(key);
  auto text = read_file(path, kLargestRecord);
  if (!text) return fail(std::move(text.error()));
  if (!*text) return std::optional<Attachment>{};
  auto attachment = parse_attachment(**text, path);
  if (!attachment) return fail(std::move(attachment.error()));
  if (attachment->key != key)
    return fail(Error::of(Errc::corrupt_state, path + " is of another attachment"));
  return std::optional<Attachment>(*std::move(attachment));
}

Result<std::vector<FoundAttachment>> AttachmentStore::of_container(
    const std::string& container) const {
  if (auto ok = check_name("container id", container, 255); !ok) return fail(std::move(ok.error()));
  auto files = list_directory(container_directory(container));
  if (!files) return fail(std::move(files.error()));
  std::vector<FoundAttachment> found;
  for (const auto& file : *files) {
    auto key = key_of(container, file);
    if (!key) continue;
    auto attachment = find(*key);
    if (!attachment) {
      found.push_back({*std::move(key), fail(std::move(attachment.error()))});
    } else if (*attachment) {
      found.push_back({*std::move(key), **std::move(attachment)});
    }
  }
  return found;
}

Result<std::vector<std::string>> AttachmentStore::containers() const {
  return list_directory(directory_ + "/attachments");
}

Result<std::vector<FoundAttachment>> AttachmentStore::all() const {
  auto ids = containers();
  if (!ids) return fail(std::move(ids.error()));
  std::vector<FoundAttachment> found;
  for (const auto& id : *ids) {
    auto some = of_container(id);
    if (!some) return fail(std::move(some.error()));
    for (auto& one : *some) found.push_back(std::move(one));
  }
  return found;
}

Result<void> AttachmentStore::write(const Attachment& attachment) const {
  if (auto holder = attachment.key.holder(); !holder) return fail(std::move(holder.error()));
  auto written = place_file(path_of(attachment.key), to_text(attachment));
  if (!written) try_tidy(attachment.key.container);
  return written;
}

Result<void> AttachmentStore::remove(const AttachmentKey& key) const {
  if (auto removed = remove_file(path_of(key)); !removed) return removed;
  try_tidy(key.container);
  return {};
}

void AttachmentStore::try_tidy(const std::string& container) const {
  const std::string directory = container_directory(container);
  if (::rmdir(directory.c_str()) != 0) {
    try_remove_temporaries(directory);
    ::rmdir(directory.c_str());
  }
  // The directories above go with the last record; whoever writes makes them again.
  if (::rmdir((directory_ + "/attachments").c_str()) == 0 && ::rmdir(directory_.c_str()) == 0)
    ::rmdir(directory_.substr(0, directory_.find_last_of('/')).c_str());
}

}  // namespace particle::cni
