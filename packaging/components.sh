#!/usr/bin/env bash
# Unpacks the heavy programs that tests and benchmarks drive (containerd, runc, dockerd, ...) into a
# private directory. They are the `unpack:` lines of debian-packages.txt. Nothing is installed: no
# maintainer script runs, no service starts, no file outside the directory is written.
#   packaging/components.sh            download and unpack what is missing
#   packaging/components.sh --dry-run  only say what is missing
# The directory is $PARTICLE_COMPONENTS, by default build/components; the programs are below its root/
# as they would be below /, and the packages stay in its debs/, so that a second run needs no network.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
list=$here/debian-packages.txt
directory=${PARTICLE_COMPONENTS:-$here/../build/components}
dry_run=${1:-}

if ! command -v dpkg-deb >/dev/null || ! command -v apt-get >/dev/null; then
  echo "components: this is not a Debian system; tests look for the programs in PATH" >&2
  exit 0
fi

mapfile -t wanted < <(sed -n 's/^unpack:[[:space:]]*\([^[:space:]#]*\).*/\1/p' "$list")
mkdir -p "$directory/debs/partial" "$directory/unpacked" "$directory/root"
directory=$(cd "$directory" && pwd)
exec 9>"$directory/lock"
flock 9

missing=()
for package in "${wanted[@]}"; do
  [ -e "$directory/unpacked/$package" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "components: all ${#wanted[@]} are unpacked below $directory/root"
  exit 0
fi
echo "components: missing below $directory/root: ${missing[*]}"
[ "$dry_run" != --dry-run ] || exit 0

# apt resolves the dependencies that this system lacks, and checks signatures; with --download-only it
# changes nothing. --reinstall: packages that the system has already are wanted here all the same.
download() {
  apt-get -qq -y --no-install-recommends --reinstall --download-only --allow-downgrades \
    -o Dir::Cache::archives="$directory/debs/" -o Debug::NoLocking=1 -o APT::Sandbox::User= \
    -o Dpkg::Use-Pty=0 install "$@" </dev/null
}
if ! download "${missing[@]}"; then
  echo "components: the download failed; trying once more with fresh package lists" >&2
  apt-get -qq update -o DPkg::Lock::Timeout=300 || true
  download "${missing[@]}"
fi

# Every package that came along, dependencies too. Unpacking twice does no harm.
for deb in "$directory"/debs/*.deb; do
  name=$(basename "$deb")
  [ ! -e "$directory/unpacked/$name" ] || continue
  dpkg-deb -x "$deb" "$directory/root"
  : >"$directory/unpacked/$name"
done
for package in "${missing[@]}"; do
  : >"$directory/unpacked/$package"
done
echo "components: unpacked ${missing[*]} below $directory/root"
