// SPDX-License-Identifier: Apache-2.0
/// What every overlay adapter promises, as cases that run against each of them on real nodes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "overlay/bed.hpp"

namespace particle::test {

/// Makes a bed with this many nodes.
using MakeBed = std::function<std::unique_ptr<Bed>(std::size_t nodes)>;

/// Runs every case on a bed of its own, and prints the table of what held. Failures are doctest's.
void run_contract(const MakeBed& make_bed, Attachment attachment = Attachment::veth);

}  // namespace particle::test
