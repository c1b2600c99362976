// SPDX-License-Identifier: Apache-2.0
/// The `particle` program as a user runs it.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include <particle/netns.hpp>

namespace particle::bench {

/// $PARTICLE, or `particle` beside this program. Errors: not_found.
Result<std::string> find_particle();

/// Starts `words` in the namespace, without output. Errors: the errno of posix_spawn(3).
Result<pid_t> start_in(const NetNs& netns, const std::vector<std::string>& words);
/// Errors: kernel, with the exit status, unless it is 0.
Result<void> wait_for(pid_t process, const std::string& what);

/// The words of `particle create-pool` for this pool of spec_of().
std::vector<std::string> create_pool_words(const std::string& particle, const std::string& run_dir,
                                           const std::string& name, const std::string& tenant,
                                           unsigned vni, const std::string& prefix,
                                           std::uint64_t count, const std::string& mode);

}  // namespace particle::bench
