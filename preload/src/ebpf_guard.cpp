// SPDX-License-Identifier: Apache-2.0
#include "src/ebpf_guard.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/file.h>
#include <unistd.h>

#include "bpf/events.h"
#include "src/agent_link.hpp"
#include "src/cgroup.hpp"
#include "src/confine.hpp"
#include "src/program_set.hpp"

namespace particle::bind {
namespace {

struct FreeRing {
  void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};
using Lines = std::vector<std::string>;

int keep_line(void* lines, void* data, std::size_t size) {
  if (size < sizeof(pb_event)) {
    return 0;
  }
  pb_event event = {};
  std::memcpy(&event, data, sizeof(event));
  const std::string command(event.command, ::strnlen(event.command, sizeof(event.command)));
  static_cast<Lines*>(lines)->push_back(describe(event.operation, event.row,
                                                 static_cast<int>(event.family), event.address,
                                                 event.port, event.pid, command));
  return 0;
}

class EbpfGuard : public Guard {
 public:
  EbpfGuard(EnforcePlace place, ProgramSet set, Cgroup cgroup, AgentLink link, bool allow_raw)
      : place_(std::move(place)),
        set_(std::move(set)),
        cgroup_(std::move(cgroup)),
        link_(std::move(link)),
        allow_raw_(allow_raw) {}
  ~EbpfGuard() override {
    if (!closed_) {
      static_cast<void>(EbpfGuard::close());
    }
  }

  Result<void> start(const pb_endpoint& endpoint) {
    if (auto ok = set_.attach(cgroup_, endpoint); !ok) {
      return ok;
    }
    return endpoint.mode == PB_AUDIT ? open_log() : Result<void>{};
  }

  [[nodiscard]] Result<void> enter() const override;
  /// The agent's thread is outside the endpoint's group, but the sockets it binds are not.
  [[nodiscard]] Result<void> supervise() override { return link_.supervise(); }
  [[nodiscard]] Result<void> adopt(pid_t process) const override {
    return move_into(cgroup_, process);
  }
  [[nodiscard]] Result<void> detach() override {
    closed_ = true;
    cgroup_.directory.reset();
    return {};
  }
  [[nodiscard]] std::vector<std::string> take_log() override {
    if (ring_ != nullptr) {
      ring_buffer__consume(ring_.get());
    }
    return std::exchange(lines_, {});
  }
  [[nodiscard]] int log_fd() const noexcept override {
    return ring_ == nullptr ? -1 : ring_buffer__epoll_fd(ring_.get());
  }
  [[nodiscard]] Result<void> close() override;

 private:
  Result<void> open_log();

  EnforcePlace place_;
  ProgramSet set_;
  Cgroup cgroup_;
  AgentLink link_;
  bool allow_raw_;
  UniqueFd ring_map_;
  std::unique_ptr<ring_buffer, FreeRing> ring_;
  Lines lines_;
  bool closed_ = false;
};

Result<void> EbpfGuard::open_log() {
  ring_map_ =
      UniqueFd(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "particle_log", 0, 0, PB_RING_BYTES, nullptr));
  if (!ring_map_.valid()) {
    return fail(Error::from_errno(errno, "make the audit log's ring buffer"));
  }
  ring_.reset(ring_buffer__new(ring_map_.get(), keep_line, &lines_, nullptr));
  if (ring_ == nullptr) {
    return fail(Error::from_errno(errno, "map the audit log's ring buffer"));
  }
  return set_.put_log(cgroup_, ring_map_.get());
}

Result<void> EbpfGuard::enter() const {
  if (auto ok = move_into(cgroup_, 0); !ok) {
    return ok;
  }
  if (auto ok = scope_abstract_sockets(); !ok) {
    return ok;
  }
  // Only listen() on an unbound socket goes to the agent. Under somebody else's agent it stays cut
  // off, as on_listen() in bpf/enforce.bpf.c has it.
  if (auto ok = link_.enter(true); !ok) {
    return ok;
  }
  return drop_network_capabilities(allow_raw_);
}

Result<void> EbpfGuard::close() {
  if (closed_) {
    return {};
  }
  closed_ = true;
  const Result<UniqueFd> lock = lock_place(place_);
  if (!lock) {
    return fail(lock.error());
  }
  Result<void> first = kill_all(cgroup_);
  link_.stop();
  set_.disown(cgroup_);
  cgroup_.directory.reset();
  if (auto ok = remove_cgroup(cgroup_.path); !ok && first) {
    first = ok;
  }
  if (auto ok = remove_if_unused(place_); !ok && first) {
    first = ok;
  }
  return first;
}

/// The endpoint's group, new, and ours alone. Whoever leases an endpoint may end what an earlier
/// holder, whose starter was killed, left running there.
Result<Cgroup> claim_group(const EnforcePlace& place, const EnforceSpec& spec) {
  const std::string path = place.anchor + "/" + group_name(spec.lease);
  if (const Result<Cgroup> old = open_cgroup(path)) {
    if (::flock(old->directory.get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(Error::of(
          Errc::busy,
          "enforce endpoint " + spec.lease.endpoint.to_string() + " of pool " + spec.lease.pool,
          "another process enforces it; see " + path));
    }
    if (auto ok = end_group(*old); !ok) {
      return fail(ok.error());
    }
  }
  Result<Cgroup> cgroup = ensure_cgroup(path);
  if (cgroup && ::flock(cgroup->directory.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(Error::from_errno(errno, "lock " + path));
  }
  return cgroup;
}

/// Is it a group of this lease's endpoint, or of a container that has it?
bool is_of(const std::string& name, const Lease& lease) {
  const std::string endpoint = group_name(lease);
  return name == endpoint || name.starts_with(endpoint + "@");
}

}  // namespace

std::string group_name(const Lease& lease) {
  return lease.pool + "@" + std::to_string(lease.endpoint.index);
}

Result<std::unique_ptr<Guard>> make_ebpf_guard(const EnforceSpec& spec) {
  const Result<pb_endpoint> endpoint = to_policy(spec);
  if (!endpoint) {
    return fail(endpoint.error());
  }
  Result<EnforcePlace> place = find_place(spec.run_dir, spec.node_id);
  if (!place) {
    return fail(place.error());
  }
  Result<UniqueFd> lock = lock_place(*place);
  if (!lock) {
    return fail(lock.error());
  }
  Result<ProgramSet> set = ProgramSet::ensure(*place);
  if (!set) {
    static_cast<void>(remove_if_unused(*place));
    return fail(set.error());
  }
  Result<Cgroup> cgroup = claim_group(*place, spec);
  if (!cgroup) {
    static_cast<void>(remove_if_unused(*place));
    return fail(cgroup.error());
  }
  Result<AgentLink> link = AgentLink::open(FilterKind::listen_only, *endpoint);
  if (!link) {
    static_cast<void>(remove_cgroup(cgroup->path));
    static_cast<void>(remove_if_unused(*place));
    return fail(link.error());
  }
  // From here on the guard undoes it. It locks the place itself: start() first, lock given up after.
  auto guard = std::make_unique<EbpfGuard>(*std::move(place), *std::move(set), *std::move(cgroup),
                                           *std::move(link), spec.allow_raw);
  Result<void> started = guard->start(*endpoint);
  if (!started) {
    lock->reset();
    return fail(started.error());
  }
  return guard;
}

Result<std::vector<std::string>> sweep(const std::string& run_dir, const std::string& node_id,
                                       const std::function<Result<std::vector<Lease>>()>& leases) {
  const Result<EnforcePlace> place = find_place(run_dir, node_id);
  if (!place || ::access(place->anchor.c_str(), F_OK) != 0) {
    return std::vector<std::string>{};
  }
  const Result<UniqueFd> lock = lock_place(*place);
  if (!lock) {
    return fail(lock.error());
  }
  const Result<std::vector<Lease>> all = leases();
  if (!all) {
    return fail(all.error());
  }
  const Result<ProgramSet> set = ProgramSet::open(*place);
  std::vector<std::string> ended;
  for (const std::string& name : children_of(place->anchor)) {
    const bool leased = std::any_of(all->begin(), all->end(),
                                    [&](const Lease& lease) { return is_of(name, lease); });
    Result<Cgroup> cgroup = open_cgroup(place->anchor + "/" + name);
    if (leased || !cgroup || ::flock(cgroup->directory.get(), LOCK_EX | LOCK_NB) != 0) {
      continue;
    }
    if (set) {
      set->disown(*cgroup);
    }
    if (auto ok = end_group(*cgroup); !ok) {
      return fail(ok.error());
    }
    ended.push_back(name);
  }
  if (auto ok = remove_if_unused(*place); !ok) {
    return fail(ok.error());
  }
  return ended;
}

}  // namespace particle::bind
