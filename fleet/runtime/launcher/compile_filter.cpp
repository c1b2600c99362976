// SPDX-License-Identifier: Apache-2.0
#include "launcher/compile_filter.hpp"

#include <cerrno>
#include <memory>

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <particle/unique_fd.hpp>

namespace particle::fleet {
namespace {

struct ReleaseFilter {
  void operator()(void* context) const { seccomp_release(context); }
};
using FilterContext = std::unique_ptr<void, ReleaseFilter>;

}  // namespace

Result<std::string> compile_filter(std::uint32_t otherwise,
                                   const std::function<int(void* context)>& add_rules) {
  const FilterContext context(seccomp_init(otherwise));
  if (!context) return fail(Error::from_errno(ENOMEM, "make the system call filter"));
  // A tree instead of a list.
  seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (const int result = add_rules(context.get()); result != 0) {
    return fail(Error::from_errno(-result, "add a rule to the system call filter"));
  }
  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file.valid()) return fail(Error::from_errno(errno, "make a file for the filter"));
  if (const int result = seccomp_export_bpf(context.get(), file.get()); result != 0) {
    return fail(Error::from_errno(-result, "compile the system call filter"));
  }
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return fail(Error::from_errno(errno, "stat the filter"));
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  if (::pread(file.get(), bytes.data(), bytes.size(), 0) != status.st_size) {
    return fail(Error::from_errno(errno, "read the filter"));
  }
  return bytes;
}

}  // namespace particle::fleet
