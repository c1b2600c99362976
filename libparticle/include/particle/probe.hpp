// SPDX-License-Identifier: Apache-2.0
/// What this kernel and this user can do, found by trying: the answers behind `particle doctor`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace particle {

enum class ProbeState : std::uint8_t {
  ok,
  no,
  unknown,  ///< could not be tried, for lack of privileges mostly; `detail` says why
};
/// "ok", "no" or "unknown".
std::string_view to_string(ProbeState state) noexcept;

struct ProbeResult {
  std::string name;     ///< stable, one word with dashes: "veth-in-place"
  std::string purpose;  ///< what Particle needs it for
  ProbeState state = ProbeState::unknown;
  std::string detail;          ///< what was found: "6.18.4", "uid 0", the kernel's refusal
  std::string advice;          ///< what to do about a no or an unknown; empty when ok
  std::string minimum_kernel;  ///< "4.12"; empty where any kernel will do
  bool essential = false;      ///< no pool can be made without it
};

struct ProbeOptions {
  std::string run_dir =
      "/run/particle";  ///< need not exist yet: its nearest existing parent counts
};

/// Answers every probe, always the same ones in the same order. What can be tried is really tried,
/// on scratch namespaces and one scratch pin, all removed before it returns. The caller's namespace
/// is only read. Never fails: what cannot be known is `unknown`.
/// Cost: 2-4 ms as root, 0.3 ms without privileges.
/// Threads: reentrant.
std::vector<ProbeResult> probe_system(const ProbeOptions& options = {});

}  // namespace particle
