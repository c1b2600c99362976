// SPDX-License-Identifier: Apache-2.0
/// The programs that packaging/components.sh unpacks, and busybox root filesystems.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace particle::test {

/// $PARTICLE_COMPONENTS, else build/components; the programs are below its root/.
std::string components_directory();
/// Path of a program, from the components, else from PATH.
std::optional<std::string> find_component(const std::string& program);
/// Can containers be run here, with these programs? Otherwise the test is marked as skipped:
///
///     if (!need_components({"runc", "containerd"})) return;
bool need_components(const std::vector<std::string>& programs);
/// The path of a program that need_components() found.
std::string component(const std::string& program);
/// `PATH=...` for programs that look for each other: `first`, the components, then the system's.
std::string component_path(const std::string& first = {});

/// `LD_LIBRARY_PATH=...`'s value: the libraries that came along with the components.
std::string component_library_path();

/// particle-runc of this build.
std::string wrapper_program();

/// Fills `directory` with busybox and its applets, the greeter, and the directories that a container expects.
void make_rootfs(const std::string& directory);

void write_text(const std::string& path, const std::string& text);
/// Throws when there is no such file.
std::string read_text(const std::string& path);

}  // namespace particle::test
