// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fstream>
#include <sstream>

#include <particle_sprocket/pipespec.hpp>

namespace particle::sprocket {

Result<Pipespec> read_pipespec(const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  std::ostringstream text;
  const bool empty = file && file.peek() == std::ifstream::traits_type::eof() && !file.bad();
  if (!empty && (!file || !(text << file.rdbuf()))) {
    return fail(
        Error::from_errno(errno != 0 ? errno : EIO, "read " + path,
                          "`particle fleet pipeline list` names the pipespecs that come along"));
  }
  return parse_pipespec(text.str(), path);
}

}  // namespace particle::sprocket
