// SPDX-License-Identifier: Apache-2.0
#include "src/preload_guard.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include "shim/config.h"
#include "src/confine.hpp"

namespace particle::bind {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibrary = "libparticle_bind.so";

class PreloadGuard : public Guard {
 public:
  PreloadGuard(std::string library, const pb_endpoint& endpoint) {
    const char* others = std::getenv("LD_PRELOAD");
    const bool more = others != nullptr && *others != '\0';
    environment_.push_back("LD_PRELOAD=" + std::move(library) +
                           (more ? ":" + std::string(others) : ""));
    std::string digits;
    const auto* bytes = reinterpret_cast<const unsigned char*>(&endpoint);
    for (std::size_t i = 0; i < sizeof(endpoint); ++i) {
      std::array<char, 3> text{};
      std::snprintf(text.data(), text.size(), "%02x", bytes[i]);
      digits += text.data();
    }
    environment_.push_back(std::string(PB_CONFIG_VARIABLE) + "=" + digits);
  }

  [[nodiscard]] std::vector<std::string> environment() const override { return environment_; }
  /// Abstract UNIX names are no library's to keep apart, but the kernel's.
  [[nodiscard]] Result<void> enter() const override { return scope_abstract_sockets(); }
  [[nodiscard]] Result<void> adopt(pid_t process) const override {
    return fail(Error::of(Errc::unsupported,
                          "enforce process " + std::to_string(process) + " by preload",
                          "the library is loaded by exec; start the process with the environment"));
  }
  [[nodiscard]] Result<void> detach() override { return {}; }
  [[nodiscard]] Result<void> close() override { return {}; }

 private:
  std::vector<std::string> environment_;
};

}  // namespace

Result<std::string> find_shim() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const char* given = std::getenv("PARTICLE_BIND_LIBRARY");
  std::string searched;
  for (const fs::path& place :
       {fs::path(given == nullptr ? "" : given), program.parent_path() / ".." / "lib" / kLibrary,
        fs::path(PARTICLE_SHIM_DIRECTORY) / kLibrary}) {
    if (place.empty()) {
      continue;
    }
    if (fs::exists(place, error)) {
      return fs::canonical(place, error).string();
    }
    searched += (searched.empty() ? "" : ", ") + place.lexically_normal().string();
  }
  return fail(Error::of(Errc::not_found, std::string("find ") + kLibrary,
                        "it is at none of " + searched + "; PARTICLE_BIND_LIBRARY can name it"));
}

Result<std::unique_ptr<Guard>> make_preload_guard(const EnforceSpec& spec) {
  Result<std::string> library = find_shim();
  if (!library) {
    return fail(library.error());
  }
  const Result<pb_endpoint> endpoint = to_policy(spec);
  if (!endpoint) {
    return fail(endpoint.error());
  }
  if (spec.policy == Policy::audit) {
    return fail(Error::of(Errc::unsupported, "audit by preload",
                          "the library reports to nobody; use --enforce ebpf or seccomp"));
  }
  return std::make_unique<PreloadGuard>(*std::move(library), *endpoint);
}

}  // namespace particle::bind
