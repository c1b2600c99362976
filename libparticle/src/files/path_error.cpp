// SPDX-License-Identifier: Apache-2.0
#include "files/path_error.hpp"

#include <cerrno>
#include <utility>

namespace particle {

Error path_error(int error, const char* verb, const std::string& path) {
  std::string hint;
  if (error == EACCES || error == EPERM)
    hint = "run as root, or choose a run directory that you may write";
  if (error == EROFS) hint = "the file system is read-only; choose another run directory";
  if (error == ENOSPC || error == EDQUOT) hint = "free some space, or choose another run directory";
  return Error::from_errno(error, std::string(verb) + " " + path, std::move(hint));
}

}  // namespace particle
