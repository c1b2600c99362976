// SPDX-License-Identifier: Apache-2.0
#include "launcher/oci_layout.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <particle/unique_fd.hpp>

#include "launcher/program.hpp"

namespace particle::fleet {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kTag = "org.opencontainers.image.ref.name";
#if defined(__x86_64__)
constexpr const char* kArchitecture = "amd64";
#elif defined(__aarch64__)
constexpr const char* kArchitecture = "arm64";
#else
constexpr const char* kArchitecture = "";
#endif

Error broken(const std::string& what, const std::string& why) {
  return Error::of(Errc::invalid_argument, "read OCI image " + what + ": " + why,
                   "an image layout has oci-layout, index.json and blobs/");
}

Result<Json> read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(Error::from_errno(errno, "open " + path));
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) return fail(broken(path, "not a JSON object"));
  return json;
}

bool is_hex(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// The hexadecimal part of "sha256:...". Errors: invalid_argument.
Result<std::string> digest_of(const Json& descriptor) {
  constexpr std::string_view kAlgorithm = "sha256:";
  const std::string text =
      descriptor.is_object() ? descriptor.value("digest", std::string()) : std::string();
  if (text.starts_with(kAlgorithm) && is_hex(text.substr(kAlgorithm.size()))) {
    return text.substr(kAlgorithm.size());
  }
  return fail(broken("descriptor", "its digest is not sha256:..."));
}

/// The blob's path, once its content is what its digest says.
Result<std::string> checked_blob(const std::string& layout, const std::string& digest) {
  std::string path = layout + "/blobs/sha256/" + digest;
  if (::access(path.c_str(), R_OK) != 0) return fail(Error::from_errno(errno, "open " + path));
  const Result<std::string> sum = run_program({"sha256sum", "--", path});
  if (!sum) return fail(sum.error());
  if (sum->substr(0, digest.size()) != digest) {
    return fail(broken(path, "its content has another digest"));
  }
  return path;
}

Result<Json> read_blob(const std::string& layout, const Json& descriptor) {
  const Result<std::string> digest = digest_of(descriptor);
  if (!digest) return fail(digest.error());
  const Result<std::string> path = checked_blob(layout, *digest);
  return path ? read_json(*path) : fail(path.error());
}

bool is_index(const Json& descriptor) {
  const std::string type = descriptor.value("mediaType", std::string());
  return type == "application/vnd.oci.image.index.v1+json" ||
         type == "application/vnd.docker.distribution.manifest.list.v2+json";
}

bool fits_here(const Json& descriptor) {
  const auto platform = descriptor.find("platform");
  return platform == descriptor.end() || !platform->is_object() ||
         (platform->value("architecture", std::string()) == kArchitecture &&
          platform->value("os", std::string()) == "linux");
}

/// The manifest that `tag` names, or the only one there is for this machine.
Result<Json> find_manifest(const std::string& layout, const Json& index, const std::string& tag,
                           int depth = 0) {
  std::vector<Json> fitting;
  for (const Json& one : index.value("manifests", Json::array())) {
    if (!one.is_object() || !fits_here(one)) continue;
    const Json notes = one.value("annotations", Json::object());
    if (tag.empty() || (notes.is_object() && notes.value(kTag, std::string()) == tag)) {
      fitting.push_back(one);
    }
  }
  if (fitting.empty()) {
    return fail(Error::of(Errc::not_found, "find image " + (tag.empty() ? "" : tag + " ") +
                                               "for this machine in " + layout));
  }
  if (fitting.size() > 1)
    return fail(broken(layout, "it has several images; name one: oci:DIR:TAG"));
  Result<Json> found = read_blob(layout, fitting.front());
  if (!found || !is_index(fitting.front())) return found;
  if (depth > 3) return fail(broken(layout, "its indices go round"));
  return find_manifest(layout, *found, {}, depth + 1);
}

std::vector<std::string> strings_of(const Json& object, const char* key) {
  std::vector<std::string> out;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_array()) return out;
  for (const Json& one : *found) {
    if (one.is_string()) out.push_back(one.get<std::string>());
  }
  return out;
}

/// A layer's marks become overlayfs's: ".wh.NAME" a whiteout, ".wh..wh..opq" an opaque directory.
Result<void> apply_marks(const std::string& root) {
  constexpr std::string_view kMark = ".wh.";
  constexpr std::string_view kOpaque = ".wh..wh..opq";
  std::vector<fs::path> marks;
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(root, error);
       !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->path().filename().string().starts_with(kMark)) marks.push_back(it->path());
  }
  if (error) return fail(Error::from_errno(error.value(), "walk through " + root));
  for (const fs::path& mark : marks) {
    const std::string name = mark.filename();
    const fs::path hidden = mark.parent_path() / name.substr(kMark.size());
    fs::remove(mark, error);
    const int failed = name == kOpaque ? ::setxattr(mark.parent_path().c_str(),
                                                    "trusted.overlay.opaque", "y", 1, 0)
                                       : ::mknod(hidden.c_str(), S_IFCHR, ::makedev(0, 0));
    if (failed != 0 && errno != EEXIST) {
      return fail(Error::from_errno(errno, "hide what is below " + hidden.string()));
    }
  }
  return {};
}

/// Each layer in a directory of its own, by one tar: what an earlier layer has can not lead it astray.
Result<std::string> unpack(const std::string& layout, const std::string& digest,
                           const std::string& cache) {
  std::string path = cache + "/" + digest;
  if (::access(path.c_str(), F_OK) == 0) return path;
  const Result<std::string> blob = checked_blob(layout, digest);
  if (!blob) return fail(blob.error());
  std::string next = cache + "/.new-XXXXXX";
  if (::mkdtemp(next.data()) == nullptr) return fail(Error::from_errno(errno, "make " + next));
  ::chmod(next.c_str(), 0755);
  Result<void> done;
  // tar sees by itself how it is compressed; it strips leading slashes and refuses "..".
  if (const auto said = run_program({"tar", "--extract", "--numeric-owner", "--same-permissions",
                                     "--directory", next, "--file", *blob});
      !said) {
    done = fail(said.error());
  }
  if (done) done = apply_marks(next);
  if (done && ::rename(next.c_str(), path.c_str()) != 0 && errno != EEXIST && errno != ENOTEMPTY) {
    done = fail(Error::from_errno(errno, "keep " + path));
  }
  std::error_code ignored;
  fs::remove_all(next, ignored);
  return done ? Result<std::string>(path) : fail(done.error());
}

struct Where {
  std::string layout, tag;
};

Where split(const std::string& where) {
  const std::size_t colon = where.rfind(':');
  if (colon == std::string::npos || where.find('/', colon) != std::string::npos) return {where, {}};
  return {where.substr(0, colon), where.substr(colon + 1)};
}

}  // namespace

Result<Image> open_layout(const std::string& where, const std::string& cache) {
  const auto [layout, tag] = split(where);
  const Result<Json> index = read_json(layout + "/index.json");
  if (!index) return fail(index.error());
  const Result<Json> manifest = find_manifest(layout, *index, tag);
  if (!manifest) return fail(manifest.error());
  const Result<Json> config = read_blob(layout, manifest->value("config", Json::object()));
  if (!config) return fail(config.error());
  std::error_code error;
  fs::create_directories(cache, error);
  if (error) return fail(Error::from_errno(error.value(), "make " + cache));
  Image image;
  for (const Json& layer : manifest->value("layers", Json::array())) {
    const Result<std::string> digest = digest_of(layer);
    if (!digest) return fail(digest.error());
    Result<std::string> directory = unpack(layout, *digest, cache);
    if (!directory) return fail(directory.error());
    image.layers.push_back(*std::move(directory));
  }
  if (image.layers.empty()) return fail(broken(where, "it has no layers"));
  const Json defaults = config->value("config", Json::object());
  image.environment = strings_of(defaults, "Env");
  image.command = strings_of(defaults, "Entrypoint");
  for (std::string& word : strings_of(defaults, "Cmd")) image.command.push_back(std::move(word));
  return image;
}

}  // namespace particle::fleet
