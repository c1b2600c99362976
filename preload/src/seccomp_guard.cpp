// SPDX-License-Identifier: Apache-2.0
#include "src/seccomp_guard.hpp"

#include "src/agent_link.hpp"
#include "src/confine.hpp"

namespace particle::bind {
namespace {

class SeccompGuard : public Guard {
 public:
  SeccompGuard(AgentLink link, bool allow_raw) : link_(std::move(link)), allow_raw_(allow_raw) {}

  [[nodiscard]] Result<void> enter() const override {
    if (auto ok = scope_abstract_sockets(); !ok) {
      return ok;
    }
    // The filter before the capabilities go: with CAP_SYS_ADMIN it needs no no_new_privs.
    if (auto ok = link_.enter(false); !ok) {
      return ok;
    }
    return drop_network_capabilities(allow_raw_);
  }
  [[nodiscard]] Result<void> supervise() override { return link_.supervise(); }
  [[nodiscard]] Result<void> adopt(pid_t process) const override {
    return fail(Error::of(Errc::unsupported,
                          "enforce process " + std::to_string(process) + " by seccomp",
                          "a filter is installed by the process itself, before exec"));
  }
  [[nodiscard]] Result<void> detach() override {
    return fail(Error::of(Errc::unsupported, "leave a seccomp agent behind",
                          "the process that started the command must stay; or use ebpf"));
  }
  [[nodiscard]] std::vector<std::string> take_log() override { return link_.take_log(); }
  [[nodiscard]] int log_fd() const noexcept override { return link_.log_fd(); }
  [[nodiscard]] Result<void> close() override {
    link_.stop();
    return {};
  }

 private:
  AgentLink link_;
  bool allow_raw_;
};

}  // namespace

Result<std::unique_ptr<Guard>> make_seccomp_guard(const EnforceSpec& spec) {
  const Result<pb_endpoint> endpoint = to_policy(spec);
  if (!endpoint) {
    return fail(endpoint.error());
  }
  Result<AgentLink> link = AgentLink::open(FilterKind::everything, *endpoint);
  if (!link) {
    return fail(link.error());
  }
  return std::make_unique<SeccompGuard>(*std::move(link), spec.allow_raw);
}

}  // namespace particle::bind
