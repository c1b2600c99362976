#!/usr/bin/env python3
"""Runs clang-tidy over every file of a build tree, two or more at a time, and skips what it has
already found clean.

  tidy.py BUILD_DIR [FILE...]     with files: only those

A file is skipped when nothing that could change the verdict has changed since it was last clean: the
file and every header it includes (from ninja's dependency log), its command line, the configuration.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Warnings that g++ knows and clang does not are not clang-tidy's business.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--quiet"]


def dependencies(build):
    """Object file -> the files that it was compiled from, as ninja recorded them."""
    found, current = {}, None
    log = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True)
    for line in log.stdout.splitlines():
        if line.startswith("    ") and current is not None:
            current.append(line.strip())
        elif match := re.match(r"(\S+): #deps \d+, .*\(VALID\)", line):
            current = found.setdefault(match[1], [])
        else:
            current = None
    return found


class Fingerprints:
    """One digest per file: by content in our tree, by size and time outside of it."""

    def __init__(self, build):
        self.build, self.known = build, {}

    def of(self, name):
        if name not in self.known:
            path = self.build / name
            if path.is_relative_to(ROOT):
                value = hashlib.sha256(path.read_bytes()).hexdigest()
            else:
                info = path.stat()
                value = f"{info.st_size} {info.st_mtime_ns}"
            self.known[name] = value
        return self.known[name]


def configuration(source, cache={}):
    """The .clang-tidy files that apply to `source`, as text."""
    folder = source.parent
    if folder not in cache:
        files = [f / ".clang-tidy" for f in [folder, *folder.parents] if f.is_relative_to(ROOT)]
        cache[folder] = "".join(f.read_text() for f in files if f.exists())
    return cache[folder]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    only = {pathlib.Path(name).resolve() for name in sys.argv[2:]}
    tidy = shutil.which("clang-tidy-19")
    if tidy is None:
        print("SKIP: component clang-tidy-19: not installed")
        return 77
    version = subprocess.run([tidy, "--version"], capture_output=True, text=True).stdout
    clean = build / "tidy-clean"
    clean.mkdir(exist_ok=True)
    compiled = dependencies(build)
    fingerprints = Fingerprints(build)

    work, known = [], 0
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if not source.is_relative_to(ROOT) or source.is_relative_to(build):
            continue
        if only and source not in only:
            continue
        stamp = None
        output = re.search(r" -o (\S+)", entry["command"])[1]
        if output in compiled:
            key = hashlib.sha256("\0".join([
                version, configuration(source), entry["command"], *EXTRA, fingerprints.of(str(source)),
                *(d + fingerprints.of(d) for d in compiled[output])]).encode())
            stamp = clean / key.hexdigest()
        if stamp is not None and stamp.exists():
            known += 1
        else:
            work.append((source, stamp))

    def run(item):
        source, stamp = item
        result = subprocess.run([tidy, "-p", build, *EXTRA, source], capture_output=True, text=True)
        if result.returncode == 0 and stamp is not None:
            stamp.touch()
        return source, result

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, result in pool.map(run, work):
            if result.returncode != 0:
                failed += 1
                print(f"-- {source.relative_to(ROOT)}\n{result.stdout}", flush=True)
                if not result.stdout.strip():
                    print(result.stderr, flush=True)
    print(f"clang-tidy: {len(work)} files checked, {known} unchanged since they were clean, "
          f"{failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
