#!/usr/bin/env bash
# Installs a build tree into a temporary prefix, then builds and runs a consumer against it.
#   run.sh cmake|pkg-config BUILD_DIR VERSION CXX [COMPILER_FLAG...]
# Flags are those that the library itself was built with and a consumer must share (sanitizers).
set -euo pipefail

way=$1 build=$2 version=$3 cxx=$4
shift 4
source=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/particle-test-package.XXXXXX")
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

DESTDIR='' cmake --install "$build" --prefix "$prefix" >"$work/install.log" ||
  { cat "$work/install.log"; exit 1; }

case $way in
  cmake)
    cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" \
      -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="$*" >"$work/configure.log" ||
      { cat "$work/configure.log"; exit 1; }
    cmake --build "$work/build"
    "$work/build/consumer"
    ;;
  pkg-config)
    pc=$(find "$prefix" -name particle.pc)
    [ -n "$pc" ] || { echo "particle.pc is not installed"; exit 1; }
    PKG_CONFIG_PATH=$(dirname "$pc")
    export PKG_CONFIG_PATH
    [ "$(pkg-config --modversion particle)" = "$version" ] || { echo "wrong version"; exit 1; }
    # A static library needs what it calls named at the link; a shared one brings it along.
    static=--static
    compgen -G "$(dirname "$pc")/../libparticle.so" >/dev/null && static=
    # shellcheck disable=SC2046,SC2086  # the words of pkg-config are separate arguments
    "$cxx" -std=c++20 -DCONSUMER_EXPECTS="\"$version\"" "$@" "$source/consumer.cpp" \
      -o "$work/consumer" $(pkg-config --cflags particle) $(pkg-config $static --libs particle)
    LD_LIBRARY_PATH=$(dirname "$pc")/.. "$work/consumer"
    ;;
  *) echo "no such way: $way"; exit 2 ;;
esac

# With the programs built, they and their manual pages belong to the installation.
if [ -x "$build/bin/particle" ]; then
  [ -x "$prefix/bin/particle" ] || { echo "the program is not installed"; exit 1; }
fi
