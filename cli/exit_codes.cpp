// SPDX-License-Identifier: Apache-2.0
#include "exit_codes.hpp"

#include <array>

namespace particle::cli {
namespace {

constexpr std::array kExitCodes = {
    ExitCode{kExitOk, "done, or nothing had to be done"},
    ExitCode{kExitKernel, "the kernel refused, or another unexpected failure"},
    ExitCode{kExitInvalid, "wrong usage or invalid input; nothing was attempted"},
    ExitCode{kExitNotFound, "no such pool, tenant, peer, holder, device or file"},
    ExitCode{kExitConflict, "it exists with another spec, or contradicts what exists"},
    ExitCode{kExitPermission, "permission denied"},
    ExitCode{kExitUnsupported, "this kernel lacks something that is needed"},
    ExitCode{kExitBusy, "in use: leases are held, an endpoint is held or cooling down"},
    ExitCode{kExitExhausted, "nothing left: endpoints, memory, descriptors or disk space"},
    ExitCode{kExitState, "a record cannot be read, or input/output failed"},
    ExitCode{kExitCannotRun, "exec, run, trace: the command is there but cannot be run"},
    ExitCode{kExitNoSuchCommand, "exec, run, trace: there is no such command"},
    ExitCode{kExitInterrupted, "interrupted; what had been done was undone"},
};

}  // namespace

std::span<const ExitCode> exit_codes() noexcept {
  return kExitCodes;
}

int exit_code_of(Errc kind) noexcept {
  switch (kind) {
    case Errc::invalid_argument:
      return kExitInvalid;
    case Errc::not_found:
      return kExitNotFound;
    case Errc::already_exists:
    case Errc::conflict:
      return kExitConflict;
    case Errc::permission_denied:
      return kExitPermission;
    case Errc::unsupported:
      return kExitUnsupported;
    case Errc::busy:
      return kExitBusy;
    case Errc::exhausted:
      return kExitExhausted;
    case Errc::corrupt_state:
    case Errc::io:
      return kExitState;
    case Errc::interrupted:
      return kExitInterrupted;
    case Errc::protocol:
    case Errc::unknown_outcome:
    case Errc::kernel:
      return kExitKernel;
  }
  return kExitKernel;
}

std::string_view name_of(Errc kind) noexcept {
  switch (kind) {
    case Errc::invalid_argument:
      return "invalid_argument";
    case Errc::not_found:
      return "not_found";
    case Errc::already_exists:
      return "already_exists";
    case Errc::conflict:
      return "conflict";
    case Errc::permission_denied:
      return "permission_denied";
    case Errc::unsupported:
      return "unsupported";
    case Errc::busy:
      return "busy";
    case Errc::exhausted:
      return "exhausted";
    case Errc::corrupt_state:
      return "corrupt_state";
    case Errc::io:
      return "io";
    case Errc::interrupted:
      return "interrupted";
    case Errc::protocol:
      return "protocol";
    case Errc::unknown_outcome:
      return "unknown_outcome";
    case Errc::kernel:
      return "kernel";
  }
  return "kernel";
}

std::string exit_code_summary(std::string_view verb) {
  std::string text =
      "0 ok; 1 the kernel refused; 2 usage or invalid input; 3 not found; 4 conflict; "
      "5 permission; 6 unsupported by this kernel; 7 busy; 8 exhausted; 9 state or I/O failure; "
      "130 interrupted.";
  if (verb == "bench-compare") text += "\n1 also: something became slower.";
  if (verb == "fleet-run") text += "\n0: every instance ended well. 1 also: one did not.";
  if (verb == "exec" || verb == "run" || verb == "trace") {
    text +=
        "\nOtherwise the command's own status; 126 when it cannot be run, 127 when there is none.";
  }
  return text;
}

}  // namespace particle::cli
