// SPDX-License-Identifier: Apache-2.0
#include "static/static_adapter.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "static/static_kind.hpp"

namespace particle::overlay {
namespace {

/// 10,000 announcements with a dozen prefixes each.
constexpr std::size_t kLargestFile = 16U << 20U;

Result<std::string> read_whole(const std::string& path) {
  const std::string name = "peers file " + path;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.valid()) return fail(Error::from_errno(errno, "open " + name));
  std::string text;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Error::from_errno(errno, "read " + name));
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargestFile)
      return fail(Error::of(Errc::invalid_argument, name + " is larger than 16 MiB"));
  }
}

class StaticAdapter final : public Adapter {
 public:
  StaticAdapter(std::string node, std::string path)
      : node_(std::move(node)), path_(std::move(path)) {
    // What is wrong with the file is said by health() and by the first view(), not here: it may come
    // later than this process.
    (void)reload();
  }

  [[nodiscard]] const Capabilities& capabilities() const noexcept override {
    return *static_kind().capabilities;
  }
  Result<void> attach(const Vtep& vtep) override {
    vteps_.insert_or_assign(vtep.tenant, vtep.address);
    return {};
  }
  Result<void> detach(const std::string& tenant) override {
    vteps_.erase(tenant);
    return {};
  }
  // The others have files of their own.
  Result<void> announce(const Announcement& /*announcement*/) override { return {}; }
  Result<void> withdraw(const std::string& /*pool*/) override { return {}; }
  [[nodiscard]] int event_fd() const noexcept override { return -1; }

  [[nodiscard]] Result<PeerView> view() override {
    if (error_) (void)reload();  // it may have come, or been mended
    if (!read_once_) return fail(*error_);
    PeerView out{.announcements = {}, .complete = true};
    for (const Announcement& announcement : announcements_) {
      if (!is_own(announcement)) out.announcements.push_back(announcement);
    }
    return out;
  }

  Result<void> reload() override {
    auto text = read_whole(path_);
    auto read = text ? parse_announcements(*text, "peers file " + path_)
                     : Result<std::vector<Announcement>>(fail(std::move(text.error())));
    if (!read) {
      error_ = read.error();
      return fail(std::move(read.error()));
    }
    announcements_ = *std::move(read);
    read_once_ = true;
    error_.reset();
    return {};
  }

  [[nodiscard]] Health health() override {
    Health out;
    for (const Announcement& announcement : announcements_) {
      if (announcement.node != node_ || is_own(announcement)) continue;
      out.state = HealthState::degraded;
      out.problems.push_back(describe(announcement) +
                             " has this node's name, but not its address: give each node a name of "
                             "its own with --node");
    }
    if (!error_) return out;
    out.state = read_once_ ? HealthState::degraded : HealthState::failed;
    out.problems.push_back(error_->message() + (read_once_ ? "; what it said before holds" : ""));
    for (const auto& detail : error_->details) out.problems.push_back(detail);
    return out;
  }

 private:
  /// By the underlay address or, while the tenant has none here, by the node's name.
  [[nodiscard]] bool is_own(const Announcement& announcement) const {
    const auto vtep = vteps_.find(announcement.peer.tenant);
    if (vtep != vteps_.end()) return vtep->second == announcement.peer.vtep;
    return announcement.node == node_;
  }

  std::string node_;
  std::string path_;
  std::map<std::string, IpAddress> vteps_;  ///< of this node, by tenant
  std::vector<Announcement> announcements_;
  bool read_once_ = false;
  std::optional<Error> error_;  ///< of the last reload
};

}  // namespace

Result<std::unique_ptr<Adapter>> make_static_adapter(const AdapterContext& context) {
  const std::string path = context.setting("peers").value_or("");
  if (path.empty())
    return fail(Error::of(Errc::invalid_argument, "--peers: the file's name is empty"));
  return std::make_unique<StaticAdapter>(context.node, path);
}

}  // namespace particle::overlay
