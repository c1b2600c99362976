#!/usr/bin/env bash
# Formats every C and C++ file of the tree, or with --check only says which are not formatted.
set -euo pipefail
cd "$(dirname "$0")/.."

clang_format=$(command -v clang-format-19) || {
  echo "SKIP: component clang-format-19: not installed"
  exit 77
}
mode=(-i)
[ "${1:-}" != --check ] || mode=(--dry-run --Werror)

folders=()
for folder in libparticle cli cni-plugin preload overlay-adapters bench fleet tests docs/examples; do
  [ ! -d "$folder" ] || folders+=("$folder")
done
find "${folders[@]}" -path '*/include_rules/fixture' -prune -o \
  -type f \( -name '*.[ch]' -o -name '*.[ch]pp' \) -print0 |
  xargs -0 -r -n 20 -P "$(nproc)" "$clang_format" "${mode[@]}"
