// SPDX-License-Identifier: Apache-2.0
#include "launcher/bundle.hpp"

#include <cerrno>
#include <cmath>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "launcher/place.hpp"

namespace particle::fleet {
namespace {

using Json = nlohmann::json;

constexpr int kPeriod = 100000;  // us

Json mount(const std::string& at, const std::string& type, const std::string& source,
           std::vector<std::string> options) {
  return {{"destination", at}, {"type", type}, {"source", source}, {"options", options}};
}

Json mounts(const std::string& bundle, const Function& function) {
  Json all = {mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
              mount("/dev", "tmpfs", "tmpfs", {"nosuid", "mode=755", "size=65536k"}),
              mount("/dev/pts", "devpts", "devpts",
                    {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}),
              mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777"}),
              mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
              mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"})};
  for (const char* name : {"hosts", "resolv.conf"}) {
    all.push_back(mount("/etc/" + std::string(name), "bind", bundle + "/" + name, {"bind", "rw"}));
  }
  for (const Mount& one : function.mounts) {
    all.push_back(mount(one.target, "bind", one.source, {"rbind", one.writable ? "rw" : "ro"}));
  }
  return all;
}

Json resources(const Limits& limits) {
  Json all = Json::object();
  if (limits.memory) all["memory"] = {{"limit", *limits.memory}};
  if (limits.cpus) {
    all["cpu"] = {{"period", kPeriod}, {"quota", std::lround(*limits.cpus * kPeriod)}};
  }
  if (limits.pids) all["pids"] = {{"limit", *limits.pids}};
  return all;
}

Json capabilities() {
  const Json names = {"CAP_CHOWN",      "CAP_DAC_OVERRIDE",     "CAP_FSETID",     "CAP_FOWNER",
                      "CAP_MKNOD",      "CAP_SETGID",           "CAP_SETUID",     "CAP_SETFCAP",
                      "CAP_SETPCAP",    "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
                      "CAP_AUDIT_WRITE"};
  return {{"bounding", names}, {"effective", names}, {"permitted", names}};
}

Json config(const std::string& path, const Workplace& place, const Begin& instance,
            const std::string& netns) {
  Json namespaces = {{{"type", "network"}, {"path", netns}}};
  for (const char* type : {"pid", "ipc", "uts", "mount", "cgroup"}) {
    namespaces.push_back({{"type", type}});
  }
  return {{"ociVersion", "1.0.2"},
          {"hostname", instance.hostname},
          {"process",
           {{"user", {{"uid", 0}, {"gid", 0}}},
            {"args", instance.command},
            {"env", instance.environment},
            {"cwd", place.job.function.directory},
            {"capabilities", capabilities()},
            {"noNewPrivileges", true}}},
          {"root", {{"path", path + "/rootfs"}, {"readonly", false}}},
          {"mounts", mounts(path, place.job.function)},
          {"linux",
           {{"namespaces", namespaces},
            {"cgroupsPath", "/" + limit_groups_of(*place.node, place.job.id) + "/" +
                                std::to_string(instance.token)},
            {"resources", resources(place.job.function.limits)},
            {"maskedPaths",
             {"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
              "/proc/sched_debug", "/proc/scsi"}},
            {"readonlyPaths",
             {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}}}}};
}

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return file ? Result<void>{} : fail(Error::from_errno(EIO, "write " + path));
}

}  // namespace

Result<void> write_bundle(const std::string& path, const Workplace& place, const Begin& instance,
                          const std::string& netns) {
  std::ifstream resolvers("/etc/resolv.conf");
  std::ostringstream text;
  text << resolvers.rdbuf();
  if (auto ok = write_file(path + "/resolv.conf", text.str()); !ok) return ok;
  if (auto ok = write_file(path + "/hosts", instance.hosts); !ok) return ok;
  return write_file(path + "/config.json", config(path, place, instance, netns).dump());
}

}  // namespace particle::fleet
