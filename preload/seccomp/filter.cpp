// SPDX-License-Identifier: Apache-2.0
#include "seccomp/filter.hpp"

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <particle_bind/agent.hpp>

namespace particle::bind {
namespace {

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

/// libseccomp keeps the first error; adding rules after it changes nothing.
class Rules {
 public:
  explicit Rules(void* context) : context_(context) {}
  void add(std::uint32_t action, int call, const std::vector<scmp_arg_cmp>& arguments = {}) {
    const int error = seccomp_rule_add_array(
        context_, action, call, static_cast<unsigned>(arguments.size()), arguments.data());
    error_ = error_ == 0 ? -error : error_;
  }
  [[nodiscard]] int error() const { return error_; }

 private:
  void* context_;
  int error_ = 0;
};

scmp_arg_cmp as_comparison(const ArgumentTest& test) {
  switch (test.kind) {
    case ArgumentTest::Kind::equal:
      return {test.index, SCMP_CMP_MASKED_EQ, kIntBits, test.value};
    case ArgumentTest::Kind::same:
      return {test.index, SCMP_CMP_EQ, test.value, 0};
    case ArgumentTest::Kind::differs:
      return {test.index, SCMP_CMP_NE, test.value, 0};
    case ArgumentTest::Kind::has_bits:
      return {test.index, SCMP_CMP_MASKED_EQ, test.value, test.value};
    case ArgumentTest::Kind::lacks_bits:
      break;
  }
  return {test.index, SCMP_CMP_MASKED_EQ, test.value, 0};
}

void add_everything(Rules& rules, bool allow_raw) {
  for (const CallRule& rule : rules_for_endpoint(allow_raw)) {
    const std::uint32_t action = rule.fate == CallRule::Fate::ask
                                     ? SCMP_ACT_NOTIFY
                                     : SCMP_ACT_ERRNO(static_cast<std::uint32_t>(rule.error));
    std::vector<scmp_arg_cmp> tests;
    if (rule.test) {
      tests.push_back(as_comparison(*rule.test));
    }
    rules.add(action, seccomp_syscall_resolve_name(std::string(rule.call).c_str()), tests);
  }
}

/// 0, or an errno.
int write_program(const Rules& rules, void* context, const UniqueFd& file) {
  if (rules.error() != 0) {
    return rules.error();
  }
  return file.valid() ? -seccomp_export_bpf(context, file.get()) : errno;
}

/// The filter as the kernel takes it.
Result<std::vector<sock_filter>> build(FilterKind kind, bool allow_raw) {
  const Context context(seccomp_init(SCMP_ACT_ALLOW));
  if (context == nullptr) {
    return fail(Error::from_errno(ENOMEM, "build the seccomp filter"));
  }
  Rules rules(context.get());
  if (kind == FilterKind::everything) {
    // i386 and x32 calls: other numbers for the same deeds.
    seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    add_everything(rules, allow_raw);
  } else {
    seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
    rules.add(SCMP_ACT_NOTIFY, SCMP_SYS(listen));
  }
  // The one call of the data path whose arguments are looked at: send(2) is sendto(2).
  seccomp_syscall_priority(context.get(), SCMP_SYS(sendto), 255);
  const UniqueFd file(::memfd_create("particle-filter", MFD_CLOEXEC));
  const int error = write_program(rules, context.get(), file);
  struct stat status = {};
  if (error != 0 || ::fstat(file.get(), &status) != 0) {
    return fail(Error::from_errno(error != 0 ? error : errno, "build the seccomp filter"));
  }
  std::vector<sock_filter> program(static_cast<std::size_t>(status.st_size) / sizeof(sock_filter));
  const std::size_t bytes = program.size() * sizeof(sock_filter);
  if (::pread(file.get(), program.data(), bytes, 0) != static_cast<ssize_t>(bytes)) {
    return fail(Error::from_errno(EIO, "read the seccomp filter"));
  }
  return program;
}

int install(const sock_fprog& program, unsigned flags) {
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

}  // namespace

Result<UniqueFd> install_filter(FilterKind kind, bool allow_raw) {
  Result<std::vector<sock_filter>> code = build(kind, allow_raw);
  if (!code) {
    return fail(code.error());
  }
  const sock_fprog program = {static_cast<unsigned short>(code->size()), code->data()};
  // A signal, which Go's runtime sends all the time, must not make the call start over when the agent
  // has already done it: only a fatal one interrupts (Linux 5.19).
  constexpr unsigned kListener = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  int fd = install(program, kListener | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  if (fd < 0 && errno == EACCES) {
    // Without CAP_SYS_ADMIN a filter may not outlive a gain of privileges.
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    fd = install(program, kListener | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  }
  if (fd < 0 && errno == EINVAL) {
    fd = install(program, kListener);
  }
  if (fd < 0) {
    const int error = errno;
    return fail(Error::from_errno(
        error, "install the seccomp filter",
        error == EBUSY ? "this process is already under a filter with a listener, and the kernel "
                         "allows one; use --enforce ebpf, or start it outside of that sandbox"
                       : "the kernel needs CONFIG_SECCOMP_FILTER"));
  }
  return UniqueFd(fd);
}

Result<void> probe_filter() {
  const unsigned action = SECCOMP_RET_USER_NOTIF;
  if (::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0) {
    return fail(Error::from_errno(errno, "look for seccomp user notification",
                                  "Linux 5.9 and CONFIG_SECCOMP_FILTER are needed"));
  }
  return {};
}

}  // namespace particle::bind
