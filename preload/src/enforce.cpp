// SPDX-License-Identifier: Apache-2.0
#include <particle_bind/enforce.hpp>

#include <array>
#include <utility>

#include "seccomp/filter.hpp"
#include "src/ebpf_guard.hpp"
#include "src/guard.hpp"
#include "src/preload_guard.hpp"
#include "src/program_set.hpp"
#include "src/seccomp_guard.hpp"

namespace particle::bind {
namespace {

using Names = std::array<std::pair<std::string_view, Mechanism>, 5>;
constexpr Names kMechanisms = {{{"auto", Mechanism::automatic},
                                {"ebpf", Mechanism::ebpf},
                                {"seccomp", Mechanism::seccomp},
                                {"preload", Mechanism::preload},
                                {"off", Mechanism::off}}};
constexpr std::array<std::pair<std::string_view, Policy>, 3> kPolicies = {
    {{"rewrite", Policy::rewrite}, {"strict", Policy::strict}, {"audit", Policy::audit}}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) noexcept {
  for (const auto& [name, candidate] : table) {
    if (candidate == value) {
      return name;
    }
  }
  return "?";
}

template <class Value, class Table>
Result<Value> find_in(const Table& table, std::string_view text, const std::string& what) {
  std::string names;
  for (const auto& [name, value] : table) {
    if (name == text) {
      return value;
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return fail(
      Error::of(Errc::invalid_argument, what + " " + std::string(text), "choose one of " + names));
}

class NoGuard : public Guard {
 public:
  [[nodiscard]] Result<void> enter() const override { return {}; }
  [[nodiscard]] Result<void> adopt(pid_t /*process*/) const override { return {}; }
  [[nodiscard]] Result<void> detach() override { return {}; }
  [[nodiscard]] Result<void> close() override { return {}; }
};

Result<std::unique_ptr<Guard>> make_guard(Mechanism mechanism, const EnforceSpec& spec) {
  switch (mechanism) {
    case Mechanism::ebpf:
      return make_ebpf_guard(spec);
    case Mechanism::seccomp:
      return make_seccomp_guard(spec);
    case Mechanism::preload:
      return make_preload_guard(spec);
    case Mechanism::off:
      return std::make_unique<NoGuard>();
    case Mechanism::automatic:
      break;  // choose() comes first
  }
  return fail(Error::of(Errc::unsupported, "enforce by " + std::string(to_string(mechanism))));
}

}  // namespace

std::string_view to_string(Mechanism mechanism) noexcept {
  return name_in(kMechanisms, mechanism);
}
std::string_view to_string(Policy policy) noexcept {
  return name_in(kPolicies, policy);
}
Result<Mechanism> parse_mechanism(std::string_view text) {
  return find_in<Mechanism>(kMechanisms, text, "mechanism");
}
Result<Policy> parse_policy(std::string_view text) {
  return find_in<Policy>(kPolicies, text, "policy");
}

Result<void> probe(Mechanism mechanism) {
  switch (mechanism) {
    case Mechanism::ebpf:
      if (auto place = find_place("/", "probe"); !place) {
        return fail(place.error());
      }
      return probe_programs();
    case Mechanism::seccomp:
      return probe_filter();
    case Mechanism::preload:
      if (auto library = find_shim(); !library) {
        return fail(library.error());
      }
      return {};
    case Mechanism::off:
      return {};
    case Mechanism::automatic:
      break;  // choose() comes first
  }
  return fail(Error::of(Errc::unsupported, "enforce by " + std::string(to_string(mechanism))));
}

Result<Choice> choose(Mechanism wanted) {
  if (wanted != Mechanism::automatic) {
    if (auto ok = probe(wanted); !ok) {
      return fail(ok.error());
    }
    return Choice{wanted, "as asked for"};
  }
  const Result<void> ebpf = probe(Mechanism::ebpf);
  if (ebpf) {
    return Choice{Mechanism::ebpf, "cgroup hooks are the strongest, and work here"};
  }
  const Result<void> seccomp = probe(Mechanism::seccomp);
  if (seccomp) {
    return Choice{Mechanism::seccomp, "no cgroup hooks: " + ebpf.error().message()};
  }
  Error error = Error::of(Errc::unsupported, "find a bind enforcer that works here",
                          "--enforce preload needs no privilege and stops only dynamic programs; "
                          "--enforce off goes without");
  error.details = {"ebpf: " + ebpf.error().message(), "seccomp: " + seccomp.error().message()};
  return fail(std::move(error));
}

Result<Enforcement> Enforcement::prepare(const EnforceSpec& spec) {
  Result<Choice> choice = choose(spec.mechanism);
  if (!choice) {
    return fail(choice.error());
  }
  Result<std::unique_ptr<Guard>> guard = make_guard(choice->mechanism, spec);
  if (!guard) {
    return fail(guard.error());
  }
  return Enforcement(*std::move(choice), *std::move(guard));
}

Enforcement::Enforcement(Choice choice, std::unique_ptr<Guard> guard)
    : choice_(std::move(choice)), guard_(std::move(guard)) {}
Enforcement::Enforcement(Enforcement&&) noexcept = default;
Enforcement& Enforcement::operator=(Enforcement&&) noexcept = default;
Enforcement::~Enforcement() = default;

Mechanism Enforcement::mechanism() const noexcept {
  return choice_.mechanism;
}
const std::string& Enforcement::reason() const noexcept {
  return choice_.reason;
}
std::vector<std::string> Enforcement::environment() const {
  return guard_->environment();
}
Result<void> Enforcement::enter() const {
  return guard_->enter();
}
Result<void> Enforcement::supervise() {
  return guard_->supervise();
}
Result<void> Enforcement::adopt(pid_t process) const {
  return guard_->adopt(process);
}
Result<void> Enforcement::detach() {
  return guard_->detach();
}
std::vector<std::string> Enforcement::take_log() {
  return guard_->take_log();
}
int Enforcement::log_fd() const noexcept {
  return guard_->log_fd();
}
Result<void> Enforcement::close() {
  return guard_->close();
}

}  // namespace particle::bind
