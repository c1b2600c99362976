// SPDX-License-Identifier: Apache-2.0
/// Which operation a kernel stack belongs to, and how its time passed.
#include <algorithm>
#include <array>

#include "trace/trace.hpp"

namespace particle::trace {
namespace {

struct Rule {
  Operation operation;
  /// Functions that tell the operation; one is enough. Names of several kernels. A trailing '*'
  /// stands for the rest of a name.
  std::array<std::string_view, 12> functions;
};

/// The first rule that fits decides: what is more special stands before what contains it.
constexpr std::array kRules{
    Rule{{"moves", "moving devices between namespaces"},
         {"dev_change_net_namespace", "__dev_change_net_namespace", "netif_change_net_namespace"}},
    Rule{{"namespace", "creating namespaces"},
         {"copy_net_ns", "setup_net", "create_new_namespaces", "copy_namespaces",
          "unshare_nsproxy_namespaces"}},
    Rule{{"device-removal", "removing devices"},
         {"unregister_netdevice_many*", "rtnl_dellink", "rtnl_delete_link", "netdev_run_todo",
          "default_device_exit_batch"}},
    Rule{{"device", "creating devices"},
         {"rtnl_newlink_create", "rtnl_create_link", "register_netdevice", "veth_newlink",
          "vxlan_newlink", "br_dev_newlink"}},
    Rule{{"addresses", "inserting addresses"},
         {"inet_rtm_newaddr", "__inet_insert_ifa", "inet6_rtm_newaddr", "inet6_addr_add",
          "inet_rtm_deladdr"}},
    Rule{{"routes", "routes, neighbours, FDB entries"},
         {"inet_rtm_newroute", "inet6_rtm_newroute", "fib_table_insert", "neigh_add",
          "rtnl_fdb_add", "inet_rtm_delroute", "neigh_delete", "rtnl_fdb_del"}},
    Rule{{"device-setup", "attaching devices, bringing up"},
         {"do_setlink*", "rtnl_setlink", "rtnl_group_changelink", "__dev_change_flags",
          "netif_change_flags", "dev_change_flags", "br_add_if", "do_set_master", "rtnl_changelink",
          "__rtnl_newlink", "rtnl_newlink"}},
    Rule{{"netlink", "other netlink"},
         {"netlink_sendmsg", "netlink_recvmsg", "rtnetlink_rcv_msg", "netlink_dump",
          "__netlink_create", "netlink_release"}},
    Rule{{"processes", "starting and ending processes"},
         {"kernel_clone", "__do_sys_vfork", "do_execveat_common", "bprm_execve", "load_elf_binary",
          "do_exit", "do_group_exit", "ret_from_fork*", "exit_mmap", "begin_new_exec", "sched_exec",
          "__x64_sys_execve"}},
    Rule{{"mounts", "mounts and pins"},
         {"path_mount", "do_mount", "__do_sys_mount", "__x64_sys_mount", "path_umount", "do_umount",
          "ksys_umount", "cleanup_mnt", "__cleanup_mnt", "__x64_sys_umount", "do_loopback"}},
    Rule{{"memory", "page faults and memory maps"},
         {"exc_page_fault", "asm_exc_page_fault", "do_user_addr_fault", "handle_mm_fault",
          "do_mmap", "vm_mmap_pgoff", "__vm_munmap", "do_syscall_mmap", "mprotect_fixup",
          "__do_sys_brk", "do_translation_fault", "do_page_fault"}},
    // Idle: only what the thread waits for by its own decision, so it is asked for when it is off a
    // processor; see operation_of.
    Rule{{"idle", "waiting for other processes, timers, input"},
         {"do_wait", "kernel_wait4", "futex_wait*", "__futex_wait", "do_sys_poll", "do_epoll_wait",
          "do_nanosleep", "pipe_read", "anon_pipe_read", "do_select", "do_sigtimedwait",
          "unix_stream_read_generic"}},
    Rule{{"files", "files"},
         {"vfs_read", "vfs_write", "vfs_open", "do_sys_openat2", "vfs_statx", "vfs_getattr",
          "iterate_dir", "filename_lookup", "vfs_unlink", "vfs_rename", "path_openat",
          "__x64_sys_close"}},
};
constexpr Operation kUser{"user", "in user space"};
constexpr Operation kOther{"other", "the rest of the kernel"};
constexpr std::string_view kIdle = "idle";

bool matches(std::string_view function, std::string_view pattern) {
  if (pattern.empty()) return false;
  if (pattern.back() == '*') return function.starts_with(pattern.substr(0, pattern.size() - 1));
  return function == pattern;
}

bool fits(const Rule& rule, const std::vector<std::string>& frames) {
  return std::any_of(frames.begin(), frames.end(), [&](const std::string& frame) {
    return std::any_of(rule.functions.begin(), rule.functions.end(),
                       [&](std::string_view pattern) { return matches(frame, pattern); });
  });
}

bool has(const Entry& entry, std::string_view beginning) {
  return std::any_of(entry.frames.begin(), entry.frames.end(),
                     [&](const std::string& frame) { return frame.starts_with(beginning); });
}

/// A wait for readers to finish, however the kernel's version calls it.
bool waits_for_rcu(const Entry& entry) {
  for (const char* name : {"synchronize_rcu", "synchronize_net", "wait_rcu_exp_gp", "__wait_rcu_gp",
                           "rcu_barrier", "synchronize_srcu", "exp_funnel_lock"}) {
    if (has(entry, name)) return true;
  }
  return false;
}

/// rtnl_lock() ends in a jump to mutex_lock(), so that it is missing from most stacks: then the
/// mutex stands right below a function that takes only this one.
bool waits_for_rtnl(const Entry& entry) {
  static constexpr std::array<std::string_view, 8> kTakers{
      "rtnl_lock",         "rtnl_net_lock", "rtnl_nets_lock", "rtnl_lock_killable",
      "rtnetlink_rcv_msg", "rtnl_newlink",  "rtnl_dumpit",    "rtnl_lock_interruptible"};
  for (std::size_t i = 1; i < entry.frames.size(); ++i) {
    const bool mutex = entry.frames[i].find("mutex_lock") != std::string::npos;
    const bool taker =
        std::find(kTakers.begin(), kTakers.end(), entry.frames[i - 1]) != kTakers.end();
    if (mutex && taker) return true;
  }
  return false;
}

/// vfork(2), as posix_spawn(3) uses it: the parent waits until the child has its program. The child's
/// time counts; the parent's would count it twice.
bool waits_for_vfork(const Entry& entry) {
  return entry.kind == Kind::blocked && has(entry, "kernel_clone") &&
         (has(entry, "wait_for_completion") || has(entry, "wait_for_vfork_done"));
}

/// Taken off the processor on its way back to user space.
bool was_in_user_space(const Entry& entry) {
  return entry.frames.empty() || has(entry, "exit_to_user_mode_loop") ||
         has(entry, "irqentry_exit_to_user_mode");
}

}  // namespace

std::string_view to_string(Kind kind) noexcept {
  switch (kind) {
    case Kind::running:
      return "running";
    case Kind::blocked:
      return "blocked";
    case Kind::runnable:
      return "runnable";
  }
  return "?";
}

std::vector<Operation> operations() {
  std::vector<Operation> out;
  out.reserve(kRules.size() + 2);
  for (const auto& rule : kRules) out.push_back(rule.operation);
  out.push_back(kUser);
  out.push_back(kOther);
  return out;
}

std::string_view operation_of(const Entry& entry) {
  if (was_in_user_space(entry)) return kUser.id;
  if (waits_for_vfork(entry)) return kIdle;
  for (const auto& rule : kRules) {
    if (rule.operation.id == kIdle && entry.kind != Kind::blocked) continue;
    if (fits(rule, entry.frames)) return rule.operation.id;
  }
  return kOther.id;
}

void Share::add(const Entry& entry) {
  if (entry.kind == Kind::runnable) {
    runnable_ms += entry.ms;
  } else if (waits_for_rcu(entry)) {
    rcu_ms += entry.ms;  // running there is spinning, or driving the grace period on
  } else if (waits_for_rtnl(entry)) {
    rtnl_ms += entry.ms;
  } else {
    (entry.kind == Kind::running ? running_ms : blocked_ms) += entry.ms;
  }
}

double Attribution::total() const {
  double sum = 0;
  for (const auto& row : rows) sum += row.share.total();
  return sum;
}

Attribution attribute(const std::vector<Entry>& entries) {
  Attribution out;
  for (const auto& operation : operations()) {
    if (operation.id != kIdle) out.rows.push_back({operation, {}});
  }
  for (const auto& entry : entries) {
    const auto id = operation_of(entry);
    const auto row = std::find_if(out.rows.begin(), out.rows.end(),
                                  [&](const auto& each) { return each.operation.id == id; });
    if (row == out.rows.end()) {
      out.idle_ms += entry.ms;
    } else {
      row->share.add(entry);
    }
  }
  return out;
}

Attribution attribute(const std::vector<Entry>& entries, std::string_view step) {
  std::vector<Entry> some;
  std::copy_if(entries.begin(), entries.end(), std::back_inserter(some),
               [&](const Entry& entry) { return entry.step == step; });
  return attribute(some);
}

}  // namespace particle::trace
