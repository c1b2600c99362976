// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <cstdio>

#include <sys/prctl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle_bind/container.hpp>

#include "container_enforcement.hpp"
#include "enforcement_record.hpp"
#include "files.hpp"
#include "report.hpp"

namespace particle::runtime {
namespace {

Result<pid_t> first_process(const std::string& state) {
  const auto json = nlohmann::json::parse(state, nullptr, false);
  const auto pid = json.is_object() ? json.find("pid") : json.end();
  if (!json.is_object() || pid == json.end() || !pid->is_number_integer() || *pid <= 0) {
    return fail(Error::of(Errc::invalid_argument, "read the container's state from standard input",
                          "a createRuntime hook of the OCI runtime specification gets it"));
  }
  return pid->get<pid_t>();
}

Result<void> enforce(const std::string& directory) {
  const auto state = read_all(STDIN_FILENO, "standard input");
  if (!state) return fail(state.error());
  const auto process = first_process(*state);
  if (!process) return fail(process.error());
  const auto record = read_enforcement(directory);
  if (!record) return fail(record.error());
  if (!*record) {
    return fail(Error::of(Errc::not_found, enforcement_path(directory),
                          "the container's create was cut off; delete it and make it again"));
  }
  return bind::enforce_container((*record)->spec, (*record)->container, *process);
}

}  // namespace

int enforce_from_hook(const std::string& directory) {
  // The runtime was killed: its container ends, and nothing may be made for it any more.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (auto done = enforce(directory); !done) {
    std::fprintf(stderr, "%s\n", describe({}, done.error()).c_str());
    return kExitFailure;
  }
  return 0;
}

}  // namespace particle::runtime
