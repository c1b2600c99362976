// SPDX-License-Identifier: Apache-2.0
/// Choosing what is free. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <particle/ip.hpp>
#include <particle/types.hpp>

namespace particle::overlay {

/// The lowest prefix of `length` in `subnet` that overlaps none of `taken`; nothing when there is none.
/// `length` is not below the subnet's. Cost: one step per taken prefix.
std::optional<IpPrefix> find_free_block(const IpPrefix& subnet, unsigned length,
                                        std::vector<IpPrefix> taken);

/// The lowest VNI from 1 on that is not taken; nothing when all 16,777,215 are.
std::optional<Vni> find_free_vni(const std::set<Vni>& taken);

}  // namespace particle::overlay
