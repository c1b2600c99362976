// SPDX-License-Identifier: Apache-2.0
#include <particle/probe.hpp>

#include "probe/report.hpp"

namespace particle {

std::string_view to_string(ProbeState state) noexcept {
  switch (state) {
    case ProbeState::ok:
      return "ok";
    case ProbeState::no:
      return "no";
    case ProbeState::unknown:
      break;
  }
  return "unknown";
}

std::vector<ProbeResult> probe_system(const ProbeOptions& options) {
  probe::Report report;
  probe::probe_kernel(report);
  probe::probe_user(report);
  probe::probe_network(report);
  probe::probe_run_dir(report, options.run_dir);
  probe::probe_limits(report);
  probe::probe_enforcement(report);
  return report;
}

}  // namespace particle
