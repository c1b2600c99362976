// SPDX-License-Identifier: Apache-2.0
#include "fleet/run_fleet.hpp"

namespace particle::cli {
namespace {

struct Dispatch {
  Context& context;
  Result<int> operator()(const FleetRunRequest& request) const {
    return run_fleet_job(context, request);
  }
  Result<int> operator()(const FleetPipelineRequest& request) const {
    return run_fleet_pipeline(context, request);
  }
  Result<int> operator()(const FleetAskRequest& request) const {
    return ask_fleet(context, request);
  }
};

}  // namespace

Result<int> do_fleet(Context& context, const FleetRequest& request) {
  return std::visit(Dispatch{context}, request.what);
}

}  // namespace particle::cli
