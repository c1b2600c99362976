// SPDX-License-Identifier: Apache-2.0
#include "support/processes.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/testbed.hpp"

namespace particle::bench {

Result<std::string> find_particle() {
  if (const char* given = std::getenv("PARTICLE"); given != nullptr) return std::string(given);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  auto path = self.parent_path() / "particle";
  if (std::filesystem::exists(path, error)) return path.string();
  return fail(Error::of(Errc::not_found, "particle beside " + self.string(),
                        "build it, or set PARTICLE to its path"));
}

Result<pid_t> start_in(const NetNs& netns, const std::vector<std::string>& words) {
  std::vector<std::string> copy = words;
  std::vector<char*> argv;
  for (auto& word : copy) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  int error = 0;
  auto ran = netns.run([&]() -> Result<void> {
    error = posix_spawn(&pid, argv.front(), &actions, nullptr, argv.data(), environ);
    return {};
  });
  posix_spawn_file_actions_destroy(&actions);
  if (!ran) return fail(std::move(ran.error()));
  if (error != 0) return fail(Error::from_errno(error, "start " + words.front()));
  return pid;
}

Result<void> wait_for(pid_t process, const std::string& what) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0) {
    if (errno != EINTR) return fail(Error::from_errno(errno, "wait for " + what));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return fail(Error::of(Errc::kernel, what + " ended with status " + std::to_string(code)));
}

std::vector<std::string> create_pool_words(const std::string& particle, const std::string& run_dir,
                                           const std::string& name, const std::string& tenant,
                                           unsigned vni, const std::string& prefix,
                                           std::uint64_t count, const std::string& mode) {
  return {particle,
          "--run-dir",
          run_dir,
          "create-pool",
          name,
          "--tenant",
          tenant,
          "--vni",
          std::to_string(vni),
          "--prefix",
          prefix,
          "--count",
          std::to_string(count),
          "--mode",
          mode,
          "--isolation",
          "job",
          "--underlay-dev",
          kUnderlayDevice};
}

}  // namespace particle::bench
