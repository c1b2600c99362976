#!/usr/bin/env bash
# Installs the packages of debian-packages.txt that this machine lacks, and says which before it does.
# Non-interactive, as root or through sudo. Quick when nothing is missing.
#   packaging/setup.sh            install what is missing
#   packaging/setup.sh --dry-run  only say what is missing
set -euo pipefail

list="$(dirname "$0")/debian-packages.txt"
dry_run=${1:-}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "setup: this is not a Debian system; install what $list names yourself" >&2
  exit 0
fi

mapfile -t wanted < <(sed -e 's/#.*//' -e '/^unpack:/d' -e 's/[[:space:]]//g' -e '/^$/d' "$list")
installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
  grep -qxF "installed $package" <<<"$installed" || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: all ${#wanted[@]} packages are installed"
  exit 0
fi
echo "setup: will install ${#missing[@]} of ${#wanted[@]} packages (list: $list):"
printf '  %s\n' "${missing[@]}"
[ "$dry_run" != --dry-run ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: not root and no sudo; as root run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}
# An update that fails for some other repository of this machine need not stop us: the install tells.
apt update || echo "setup: apt-get update reported an error; going on" >&2
if ! apt install -y --no-install-recommends "${missing[@]}"; then
  echo "setup: the installation failed; trying once more" >&2
  sleep 5
  apt update || true
  apt install -y --no-install-recommends "${missing[@]}"
fi
echo "setup: installed ${#missing[@]} packages"
