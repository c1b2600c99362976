// SPDX-License-Identifier: Apache-2.0
#include <particle/pool_watch.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include <sys/inotify.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

#include "files/files.hpp"
#include "pool/layout.hpp"

namespace particle {
namespace {

constexpr std::uint32_t kDirectoryEvents =
    IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_ONLYDIR;
/// A pool's records are renamed into place; pins and guests' records come and go beside them.
constexpr std::uint32_t kPoolEvents = IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;
constexpr std::array kRecords{"pool.json", "resize.json", "removing.json", "intent.json"};

bool is_record(const std::string& name) {
  return std::find(kRecords.begin(), kRecords.end(), name) != kRecords.end();
}

std::pair<std::string, std::string> split(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == 0) return {"/", path.substr(1)};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

struct PoolWatch::Impl {
  UniqueFd fd;
  Layout layout;
  /// What a watched directory's events are about: one entry of it, any record of a pool ("*.json"),
  /// or anything (empty).
  std::map<int, std::string> about;

  Result<bool> watch(const std::string& path, std::uint32_t events, const std::string& name) {
    const int descriptor = ::inotify_add_watch(fd.get(), path.c_str(), events);
    if (descriptor >= 0) {
      about.insert_or_assign(descriptor, name);
      return true;
    }
    if (errno == ENOENT || errno == ENOTDIR) return false;
    const int error = errno;
    return fail(Error::from_errno(error, "inotify_add_watch " + path,
                                  error == ENOSPC ? "raise fs.inotify.max_user_watches" : ""));
  }

  /// The nearest directory that exists above `path` waits for what is missing below it.
  Result<void> watch_above(std::string path) {
    for (;;) {
      auto [parent, name] = split(path);
      auto there = watch(parent, kDirectoryEvents, name);
      if (!there) return fail(std::move(there.error()));
      if (*there || parent == "/") return {};
      path = std::move(parent);
    }
  }

  Result<void> arm() {
    // From above: what appears between two calls is seen by the first or found by the second.
    if (auto ok = watch_above(layout.root()); !ok) return ok;
    if (auto ok = watch(layout.root(), kDirectoryEvents, split(layout.pools()).second); !ok)
      return fail(std::move(ok.error()));
    if (auto ok = watch(layout.pools(), kDirectoryEvents, ""); !ok)
      return fail(std::move(ok.error()));
    auto names = list_directory(layout.pools());
    if (!names) return fail(std::move(names.error()));
    for (const auto& name : *names) {
      if (auto ok = watch(layout.pool(name), kPoolEvents, "*.json"); !ok)
        return fail(std::move(ok.error()));
    }
    return {};
  }

  bool is_relevant(const inotify_event& event) {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
    const auto found = about.find(event.wd);
    if (found == about.end()) return false;
    const std::string name = event.len > 0 ? event.name : "";
    const std::string wanted = found->second;
    if ((event.mask & IN_IGNORED) != 0) about.erase(found);
    if (name.empty() || wanted.empty()) return !name.starts_with(kTemporaryPrefix);
    return wanted == "*.json" ? is_record(name) : name == wanted;
  }
};

PoolWatch::PoolWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PoolWatch::PoolWatch(PoolWatch&&) noexcept = default;
PoolWatch& PoolWatch::operator=(PoolWatch&&) noexcept = default;
PoolWatch::~PoolWatch() = default;

Result<PoolWatch> PoolWatch::open(const std::string& node_directory) {
  auto impl = std::make_unique<Impl>(
      Impl{UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), Layout(node_directory), {}});
  if (!impl->fd.valid()) {
    return fail(Error::from_errno(errno, "inotify_init1",
                                  errno == EMFILE ? "raise fs.inotify.max_user_instances" : ""));
  }
  if (auto ok = impl->arm(); !ok) return fail(std::move(ok.error()));
  return PoolWatch(std::move(impl));
}

int PoolWatch::fd() const noexcept {
  return impl_->fd.get();
}

Result<bool> PoolWatch::acknowledge() {
  alignas(inotify_event) std::array<char, 16384> buffer{};
  bool relevant = false;
  for (;;) {
    const ssize_t got = ::read(impl_->fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got < 0) return fail(Error::from_errno(errno, "read inotify events"));
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      relevant = impl_->is_relevant(*event) || relevant;
      at += sizeof(inotify_event) + event->len;
    }
  }
  if (relevant) {
    if (auto ok = impl_->arm(); !ok) return fail(std::move(ok.error()));
  }
  return relevant;
}

}  // namespace particle
