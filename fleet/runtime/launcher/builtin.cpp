// SPDX-License-Identifier: Apache-2.0
#include "launcher/builtin.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <linux/capability.h>

#include "launcher/default_filter.hpp"
#include "launcher/notify_filter.hpp"

namespace particle::fleet {
namespace {

// Docker's and containerd's default set.
constexpr std::uint64_t bit(int capability) {
  return 1ULL << static_cast<unsigned>(capability);
}
constexpr std::uint64_t kCapabilities =
    bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FSETID) | bit(CAP_FOWNER) | bit(CAP_MKNOD) |
    bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP) | bit(CAP_SETPCAP) |
    bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_KILL) | bit(CAP_AUDIT_WRITE);
// NET_RAW is of that set, too: without the enforcer it would show the siblings' packets all the same.

/// An instance's own files; what it holds there is memory. /dev/shm is a part of it.
constexpr std::uint64_t kLayerBytes = 256ULL << 20U;

/// Of the node's own tree: what is not the system but the node's state, sockets of daemons above all.
const std::vector<std::string> kHiddenOfNode = {"/run",   "/tmp",       "/var/tmp", "/var/run",
                                                "/boot",  "/root",      "/home",    "/mnt",
                                                "/media", "/lost+found"};

std::string read_text(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

spawn::Job describe(const Workplace& place, const Filters& filters) {
  const Function& function = place.job.function;
  spawn::Job job;
  job.layers = place.layers;
  for (const Mount& one : function.mounts) {
    job.mounts.push_back({one.source, one.target, one.writable});
  }
  if (function.image.empty()) job.hidden = kHiddenOfNode;
  job.directory = function.directory;
  job.stage = place.stage;
  job.resolv_conf = read_text("/etc/resolv.conf");
  job.common_filter = filters.common;
  job.filter = filters.last;
  job.capabilities = kCapabilities;
  job.layer_bytes = kLayerBytes;
  job.apart = place.enforce != bind::Mechanism::off;
  return job;
}

std::chrono::system_clock::time_point to_time(std::int64_t nanoseconds) {
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::nanoseconds(nanoseconds)));
}

Progress::What to_what(spawn::What what) {
  switch (what) {
    case spawn::What::created:
      return Progress::What::created;
    case spawn::What::started:
      return Progress::What::started;
    case spawn::What::ended:
      return Progress::What::ended;
    case spawn::What::refused:
      break;
  }
  return Progress::What::refused;
}

/// The descriptors of one start, in the order of their bits.
class Handover {
 public:
  void add(spawn::Descriptor which, UniqueFd fd) {
    if (!fd.valid()) return;
    which_ |= which;
    fds_.push_back(std::move(fd));
  }
  [[nodiscard]] std::uint32_t which() const { return which_; }
  std::vector<UniqueFd> take() { return std::move(fds_); }

 private:
  std::uint32_t which_ = 0;
  std::vector<UniqueFd> fds_;
};

}  // namespace

Result<std::unique_ptr<Starter>> Builtin::open(const Workplace& place) {
  const Function& function = place.job.function;
  if (place.enforce == bind::Mechanism::preload) {
    return fail(Error::of(Errc::unsupported,
                          "enforce instances by " + std::string(bind::to_string(place.enforce)),
                          "the built-in backend enforces by ebpf and seccomp; --enforce off goes "
                          "without"));
  }
  auto limits = LimitGroups::prepare(function.limits,
                                     kLimitGroupPrefix + place.node->id() + "-" + place.job.id);
  if (!limits) return fail(limits.error());
  const Result<Filters>& filters = default_filters();
  if (!filters) return fail(filters.error());
  const Result<std::string> program = find_spawner();
  if (!program) return fail(program.error());
  const Result<NetNs> netns = place.node->open_pool_netns(place.job.pool);
  if (!netns) return fail(netns.error());
  spawn::Job job = describe(place, *filters);
  std::unique_ptr<BindAgent> agent;
  if (place.enforce == bind::Mechanism::seccomp) {
    const Result<std::string>& filter = notify_filter();
    if (!filter) return fail(filter.error());
    job.notify_filter = *filter;
    auto started = BindAgent::start(*place.node);
    if (!started) return fail(started.error());
    agent = *std::move(started);
  }
  auto link = SpawnerLink::start(*program, job, netns->fd(), agent ? agent->listeners() : -1);
  if (!link) return fail(link.error());
  return std::unique_ptr<Starter>(
      new Builtin(place, std::move(agent), *std::move(link), *std::move(limits)));
}

Builtin::~Builtin() {
  // First the processes, then what they were in.
  {
    const SpawnerLink ended = std::move(link_);
  }
  for (const auto& [token, groups] : limited_) LimitGroups::remove(groups);
  std::vector<bind::EndpointGroup> groups;
  groups.reserve(groups_.size());
  for (auto& [number, group] : groups_) groups.push_back(std::move(group));
  static_cast<void>(bind::remove_endpoint_groups(node_.run_dir(), node_.id(), groups));
}

Result<void> Builtin::ensure_groups(const std::vector<Begin>& instances) {
  std::vector<bind::EnforceSpec> missing;
  for (const Begin& one : instances) {
    if (groups_.contains(one.lease.endpoint.index)) continue;
    bind::EnforceSpec spec;
    spec.lease = one.lease;
    spec.run_dir = node_.run_dir();
    spec.node_id = node_.id();
    spec.mechanism = bind::Mechanism::ebpf;
    missing.push_back(std::move(spec));
  }
  Result<std::vector<bind::EndpointGroup>> made = bind::make_endpoint_groups(missing, container_);
  if (!made) return fail(made.error());
  for (std::size_t i = 0; i < missing.size(); ++i) {
    groups_.emplace(missing[i].lease.endpoint.index, std::move((*made)[i]));
  }
  return {};
}

void Builtin::begin(std::vector<Begin> instances) {
  if (in_groups_) {
    if (auto ok = ensure_groups(instances); !ok) {
      for (const Begin& one : instances) refuse(one.token, ok.error());
      return;
    }
  }
  for (Begin& one : instances) begin_one(one);
}

Result<UniqueFd> Builtin::open_group(std::uint64_t endpoint) {
  bind::EndpointGroup& group = groups_.at(endpoint);
  if (group.directory.valid()) return std::move(group.directory);
  UniqueFd fd(::open(group.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail(Error::from_errno(errno, "open the control group " + group.path));
  return fd;
}

void Builtin::begin_one(Begin& instance) {
  spawn::Start start;
  start.token = instance.token;
  start.command = std::move(instance.command);
  start.environment = std::move(instance.environment);
  start.hostname = instance.hostname;
  start.hosts = instance.hosts;
  const auto group = groups_.find(instance.lease.endpoint.index);
  const std::string above = group == groups_.end() ? "" : group->second.path;
  LimitGroups::Instance limits;
  if (limits_.any()) {
    auto made = limits_.make(instance.token, above);
    if (!made) {
      refuse(instance.token, made.error());
      return;
    }
    limits = *std::move(made);
  }
  Handover handover;
  handover.add(spawn::kInput, std::move(instance.input));
  handover.add(spawn::kOutput, std::move(instance.output));
  handover.add(spawn::kError, std::move(instance.error));
  if (limits.directory.valid()) {
    handover.add(spawn::kGroup, std::move(limits.directory));
  } else if (group != groups_.end()) {
    auto directory = open_group(group->first);
    if (!directory) {
      refuse(instance.token, directory.error());
      return;
    }
    handover.add(spawn::kGroup, *std::move(directory));
  }
  if (instance.lease.netns_path != pool_netns_) {
    auto own = open_pinned_netns(instance.lease.netns_path);
    auto fd = own ? own->duplicate() : fail(own.error());
    if (!fd) {
      refuse(instance.token, fd.error());
      return;
    }
    handover.add(spawn::kNetns, UniqueFd(::fcntl(fd->fd(), F_DUPFD_CLOEXEC, 0)));
  }
  handover.add(spawn::kMemory, std::move(limits.memory));
  handover.add(spawn::kCpu, std::move(limits.cpu));
  handover.add(spawn::kPids, std::move(limits.pids));
  start.descriptors = handover.which();
  std::string bytes = start.encode();
  if (agent_) agent_->expect(instance.token, instance.lease);
  if (limits_.any()) limited_.emplace(instance.token, std::move(limits));
  if (bytes.size() > spawn::kMostBytes) {
    refuse(instance.token, Error::from_errno(E2BIG, "hand over the command"));
    return;
  }
  link_.send(std::move(bytes), handover.take());
}

void Builtin::refuse(std::uint64_t token, const Error& error) {
  refused_.push_back({token, Progress::What::refused, std::chrono::system_clock::now(), 0, false,
                      error.message()});
}

void Builtin::signal(std::uint64_t token, int number) {
  spawn::Writer out(spawn::Message::signal);
  link_.send(out.number(token).number(number).bytes());
}

void Builtin::kill_all() {
  link_.send(spawn::Writer(spawn::Message::kill).bytes());
}

Progress Builtin::settle(const spawn::Happened& one) {
  Progress progress;
  progress.token = one.token;
  progress.what = to_what(one.what);
  progress.at = to_time(one.at);
  progress.value = one.value;
  if (progress.what == Progress::What::refused) {
    progress.text = Error::from_errno(one.value, one.text).message();
  }
  if (agent_ && progress.what >= Progress::What::ended) agent_->forget(one.token);
  const auto limits = limited_.find(one.token);
  if (limits != limited_.end() && progress.what >= Progress::What::ended) {
    progress.out_of_memory = LimitGroups::was_out_of_memory(limits->second);
    LimitGroups::remove(limits->second);
    limited_.erase(limits);
  }
  return progress;
}

Result<std::vector<Progress>> Builtin::pump() {
  link_.flush();
  const Result<std::vector<spawn::Happened>> happened = link_.receive();
  if (!happened) return fail(happened.error());
  std::vector<Progress> all = std::exchange(refused_, {});
  all.reserve(all.size() + happened->size());
  for (const spawn::Happened& one : *happened) all.push_back(settle(one));
  return all;
}

}  // namespace particle::fleet
