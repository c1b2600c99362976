#!/usr/bin/env python3
"""Runs clang-tidy over every file of a build tree, two or more at a time, and skips what it has
already found clean.

  tidy.py BUILD_DIR [FILE...]     with files: only those, and what is compiled as one with them

A compilation is skipped when nothing that could change the verdict has changed since it was last clean:
every file that it reads, its command line, the configuration. In a tree that compiles several files as one
(the preset tidy) most of the work, which is reading headers, is done once for ten files.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Warnings that g++ knows and clang does not are not clang-tidy's business.
# Files that are compiled as one are included.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--quiet", "--checks=-bugprone-suspicious-include"]


def dependencies(entry):
    """The files that a compilation reads, as the compiler lists them; nothing when it cannot."""
    words = [w for w in shlex.split(entry["command"]) if not w.endswith("ccache")]
    output = words.index("-o")
    del words[output:output + 2]
    made = subprocess.run([*words, "-MM"], cwd=entry["directory"], capture_output=True, text=True)
    return made.stdout.replace("\\\n", " ").split()[1:] if made.returncode == 0 else None


@functools.cache
def fingerprint(name):
    """By content in our tree, by size and time outside of it."""
    path = pathlib.Path(name)
    if path.is_relative_to(ROOT):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    info = path.stat()
    return f"{info.st_size} {info.st_mtime_ns}"


def configuration(source, cache={}):
    """The .clang-tidy files that apply to `source`, as text."""
    folder = source.parent
    if folder not in cache:
        files = [f / ".clang-tidy" for f in [folder, *folder.parents] if f.is_relative_to(ROOT)]
        cache[folder] = "".join(f.read_text() for f in files if f.exists())
    return cache[folder]


def wanted(build, only):
    """What of the compilation database is ours: files of the tree, and several of them as one."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        together = source.is_relative_to(build) and "Unity" in source.parts
        if not source.is_relative_to(ROOT) or (source.is_relative_to(build) and not together):
            continue
        if not only or source in only or (together and only & included(source)):
            yield entry


def included(source):
    """The files that are compiled as one by `source`."""
    return {pathlib.Path(name) for name in re.findall(r'#include "(.+)"', source.read_text())}


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

    def stamp_of(entry):
        files = dependencies(entry)
        if files is None:
            return None
        configurations = {configuration(pathlib.Path(f)) for f in files if pathlib.Path(f).is_relative_to(ROOT)}
        key = "\0".join([version, entry["command"], *EXTRA, *sorted(configurations),
                         *(f + fingerprint(f) for f in files)])
        return clean / hashlib.sha256(key.encode()).hexdigest()

    def run(entry):
        """What it says; None when it was clean before."""
        stamp = stamp_of(entry)
        if stamp is not None and stamp.exists():
            return entry, None
        result = subprocess.run([tidy, "-p", build, *EXTRA, entry["file"]], capture_output=True, text=True)
        if result.returncode == 0 and stamp is not None:
            stamp.touch()
        return entry, result

    checked = known = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for entry, result in pool.map(run, wanted(build, only)):
            known += result is None
            checked += result is not None
            if result is not None and result.returncode != 0:
                failed += 1
                print(f"-- {pathlib.Path(entry['file']).relative_to(ROOT)}\n{result.stdout}", flush=True)
                if not result.stdout.strip():
                    print(result.stderr, flush=True)
    print(f"clang-tidy: {checked} checked, {known} unchanged since they were clean, "
          f"{failed} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
