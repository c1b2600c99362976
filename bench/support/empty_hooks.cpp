// SPDX-License-Identifier: Apache-2.0
#include "support/empty_hooks.hpp"

#include <array>
#include <cerrno>
#include <fstream>
#include <utility>

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace particle::bench {
namespace {

struct Hook {
  const char* name;
  bpf_prog_type type;
  bpf_attach_type where;
};
constexpr std::array<Hook, 3> kHooks{
    {{"sock_create", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE},
     {"bind4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND},
     {"post_bind4", BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND}}};

Result<void> attach(const Hook& hook, int group) {
  // r0 = 1; exit
  const std::array<bpf_insn, 2> allow{
      {{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = hook.where);
  const UniqueFd program(
      ::bpf_prog_load(hook.type, hook.name, "GPL", allow.data(), allow.size(), &options));
  if (!program.valid())
    return fail(Error::from_errno(errno, std::string("load an empty program for ") + hook.name));
  if (::bpf_prog_attach(program.get(), group, hook.where, BPF_F_ALLOW_MULTI) != 0)
    return fail(Error::from_errno(errno, std::string("attach an empty program to ") + hook.name));
  return {};
}

}  // namespace

Result<EmptyHooks> EmptyHooks::make(const std::string& directory) {
  EmptyHooks hooks;
  if (::mkdir(directory.c_str(), 0755) != 0)
    return fail(Error::from_errno(errno, "make directory " + directory));
  if (::mount("none", directory.c_str(), "cgroup2", 0, nullptr) != 0)
    return fail(Error::from_errno(errno, "mount cgroup2 at " + directory));
  hooks.mount_ = directory;
  const std::string group = directory + "/particle-bench-" + std::to_string(::getpid());
  if (::mkdir(group.c_str(), 0755) != 0)
    return fail(Error::from_errno(errno, "make control group " + group));
  hooks.group_ = group;
  const UniqueFd opened(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.valid()) return fail(Error::from_errno(errno, "open " + group));
  for (const Hook& hook : kHooks) {
    if (auto done = attach(hook, opened.get()); !done) return fail(std::move(done.error()));
  }
  return hooks;
}

EmptyHooks::EmptyHooks(EmptyHooks&& other) noexcept
    : mount_(std::exchange(other.mount_, {})), group_(std::exchange(other.group_, {})) {}

EmptyHooks::~EmptyHooks() {
  if (!group_.empty()) ::rmdir(group_.c_str());
  if (!mount_.empty()) ::umount2(mount_.c_str(), MNT_DETACH);
  if (!mount_.empty()) ::rmdir(mount_.c_str());
}

Result<void> EmptyHooks::enter() const {
  std::ofstream processes(group_ + "/cgroup.procs");
  processes << ::getpid() << std::flush;
  if (!processes) return fail(Error::from_errno(errno, "enter control group " + group_));
  return {};
}

}  // namespace particle::bench
