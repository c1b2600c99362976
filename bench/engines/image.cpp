// SPDX-License-Identifier: Apache-2.0
#include "engines/image.hpp"

#include "engines/box.hpp"

namespace particle::bench {
namespace {

/// $1 is a directory, $2 a busybox.
constexpr const char* kMakeImage = R"sh(set -e
mkdir -p "$1/image/rootfs/bin"; cd "$1/image"
cp "$2" rootfs/bin/busybox; ln -s busybox rootfs/bin/sleep; ln -s busybox rootfs/bin/ip
tar -C rootfs -cf layer.tar .
digest=$(sha256sum layer.tar | cut -d' ' -f1)
case $(uname -m) in aarch64) machine=arm64;; *) machine=amd64;; esac
printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$machine" "$digest" >config.json
printf '[{"Config":"config.json","RepoTags":["particle.bench/box:latest"],"Layers":["layer.tar"]}]' >manifest.json
tar -cf ../image.tar manifest.json config.json layer.tar
)sh";

}  // namespace

Result<std::string> make_image(const std::string& directory) {
  const auto busybox = find_program("busybox");
  if (!busybox) {
    return fail(Error::of(Errc::not_found, "no busybox", "apt install busybox-static"));
  }
  if (auto done = run_here({"sh", "-c", kMakeImage, "sh", directory, *busybox}, directory); !done) {
    return fail(std::move(done.error()));
  }
  return directory + "/image.tar";
}

}  // namespace particle::bench
