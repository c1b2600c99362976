// SPDX-License-Identifier: Apache-2.0
/// Exit codes: what scripts rely on. docs/cli.md repeats them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <particle/error.hpp>

namespace particle::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitKernel = 1;
inline constexpr int kExitInvalid = 2;
inline constexpr int kExitNotFound = 3;
inline constexpr int kExitConflict = 4;
inline constexpr int kExitPermission = 5;
inline constexpr int kExitUnsupported = 6;
inline constexpr int kExitBusy = 7;
inline constexpr int kExitExhausted = 8;
inline constexpr int kExitState = 9;
inline constexpr int kExitCannotRun = 126;      ///< exec: the command is there but cannot be run
inline constexpr int kExitNoSuchCommand = 127;  ///< exec: there is no such command
inline constexpr int kExitInterrupted = 130;

struct ExitCode {
  int code;
  std::string_view meaning;
};

/// Every code above with its meaning, in ascending order.
std::span<const ExitCode> exit_codes() noexcept;

int exit_code_of(Errc kind) noexcept;
/// "not_found", as JSON has it.
std::string_view name_of(Errc kind) noexcept;

/// The codes in one sentence, for --help of `verb`.
std::string exit_code_summary(std::string_view verb);

}  // namespace particle::cli
