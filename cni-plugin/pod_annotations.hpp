// SPDX-License-Identifier: Apache-2.0
/// What a pod's annotations ask for: the capability `io.kubernetes.cri.pod-annotations`.
#pragma once

#include <string>

#include "netconf.hpp"
#include "netconf_reader.hpp"

namespace particle::cni {

/// Every member of the capability named `key`; those that do not begin with "io.particle." are other
/// programs'. Pure. Faults: an `io.particle.` that nothing here or in particle-runc reads, a value
/// that cannot be. `conf.attach` has been read.
PodWishes read_pod_annotations(Members& runtime, const std::string& key, const NetConf& conf);

/// The values that `enforce` and io.particle.enforce may have for containers.
bool can_enforce(std::string_view mechanism);

}  // namespace particle::cni
