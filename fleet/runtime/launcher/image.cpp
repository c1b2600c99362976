// SPDX-License-Identifier: Apache-2.0
#include "launcher/image.hpp"

#include <cerrno>

#include <sys/stat.h>

#include "launcher/oci_layout.hpp"

namespace particle::fleet {

Result<Image> open_image(const std::string& image, const std::string& cache) {
  constexpr std::string_view kLayout = "oci:";
  if (image.empty()) return Image{{"/"}, {}, {}};
  if (image.starts_with(kLayout)) return open_layout(image.substr(kLayout.size()), cache);
  struct stat status = {};
  if (::stat(image.c_str(), &status) != 0) {
    return fail(Error::from_errno(errno, "open image " + image));
  }
  if (!S_ISDIR(status.st_mode)) return fail(Error::from_errno(ENOTDIR, "open image " + image));
  return Image{{image}, {}, {}};
}

}  // namespace particle::fleet
