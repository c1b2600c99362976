// SPDX-License-Identifier: Apache-2.0
#include "launcher/notify_filter.hpp"

#include <cerrno>
#include <vector>

#include <seccomp.h>

#include <particle_bind/agent.hpp>

#include "launcher/compile_filter.hpp"

namespace particle::fleet {
namespace {

scmp_arg_cmp comparison_of(const bind::ArgumentTest& test) {
  using Kind = bind::ArgumentTest::Kind;
  switch (test.kind) {
    case Kind::equal:
      return {test.index, SCMP_CMP_MASKED_EQ, bind::kIntBits, test.value};
    case Kind::same:
      return {test.index, SCMP_CMP_EQ, test.value, 0};
    case Kind::differs:
      return {test.index, SCMP_CMP_NE, test.value, 0};
    case Kind::has_bits:
      return {test.index, SCMP_CMP_MASKED_EQ, test.value, test.value};
    case Kind::lacks_bits:
      break;
  }
  return {test.index, SCMP_CMP_MASKED_EQ, test.value, 0};
}

int add_rule(void* context, const bind::CallRule& rule) {
  const std::uint32_t action = rule.fate == bind::CallRule::Fate::ask
                                   ? SCMP_ACT_NOTIFY
                                   : SCMP_ACT_ERRNO(static_cast<std::uint32_t>(rule.error));
  std::vector<scmp_arg_cmp> tests;
  if (rule.test) tests.push_back(comparison_of(*rule.test));
  return seccomp_rule_add_array(context, action,
                                seccomp_syscall_resolve_name(std::string(rule.call).c_str()),
                                static_cast<unsigned>(tests.size()), tests.data());
}

int add_endpoint_rules(void* context) {
  // i386 and x32 calls: other numbers for the same deeds.
  seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  for (const bind::CallRule& rule : bind::rules_for_endpoint(false)) {
    if (const int error = add_rule(context, rule); error != 0) return error;
  }
  return 0;
}

}  // namespace

const Result<std::string>& notify_filter() {
  static const Result<std::string> filter = compile_filter(SCMP_ACT_ALLOW, add_endpoint_rules);
  return filter;
}

}  // namespace particle::fleet
