// SPDX-License-Identifier: Apache-2.0
#include "agent_program.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <vector>

#include <unistd.h>

namespace particle::cli {

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

namespace {

Error become(const Context& context, std::string name) {
  std::vector<char*> argv;
  argv.push_back(name.data());
  std::vector<std::string> words = context.arguments;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  std::array<char, PATH_MAX> self{};
  const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (length > 0) {
    const std::string path(self.data(), static_cast<std::size_t>(length));
    ::execv((path.substr(0, path.find_last_of('/') + 1) + name).c_str(), argv.data());
  }
  ::execvp(name.c_str(), argv.data());
  return Error::from_errno(errno, "run " + name,
                           "it is installed beside `particle`; package particle brings both");
}

}  // namespace

Error become_agent(const Context& context) {
  return become(context, "particle-agent");
}

Error become_fleet(const Context& context) {
  return become(context, "particle-fleet");
}

Error become_fleet_agent(const Context& context) {
  return become(context, "particle-fleet-agent");
}

}  // namespace particle::cli
