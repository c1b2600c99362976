#!/usr/bin/env python3
"""Builds and runs every test of the project, and ends with the line `N passed, N failed, N skipped`.

The runs, in order: all tests of the release build, so that what is tested is what users run; the unit,
netns and cni tests under AddressSanitizer with UBSan, the unit and netns tests under ThreadSanitizer (both are
built while the tests before them run); the format check; a last look for anything left behind.
A failure does not stop the runs after it. With CI=true a test that was skipped because a program could
not be had (it printed `SKIP: component ...`) counts as failed.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "test-results"
CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def add(self, name, problem=None):
        if problem is None:
            self.passed += 1
        else:
            self.failed.append(f"{name}: {problem}")


def run(*command):
    return subprocess.run([str(c) for c in command], cwd=ROOT, stdin=subprocess.DEVNULL).returncode


def build(tally, preset, targets, priority=()):
    """Configures and builds; a failure is one failed test, a success is not a test."""
    started = time.monotonic()
    log = RESULTS / f"build-{preset}.log"
    with log.open("w") as out:
        for command in (["cmake", "--preset", preset],
                        ["cmake", "--build", "--preset", preset, "--target", *targets]):
            code = subprocess.run([*priority, *command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT).returncode
            if code != 0:
                print("\n".join(log.read_text(errors="replace").splitlines()[-60:]))
                tally.add(f"build {preset}", f"{' '.join(command)} exited with {code}")
                return False
    print(f"built {preset} in {time.monotonic() - started:.0f} s", flush=True)
    return True


def read_results(tally, preset, file):
    """Counts the verdicts of one ctest run; returns how many of its tests failed."""
    failures = 0
    for case in xml.etree.ElementTree.parse(file).getroot().iter("testcase"):
        name = f"{case.get('name')} [{preset}]"
        output = case.findtext("system-out") or ""
        skip = case.find("skipped")
        if case.find("failure") is not None:
            tally.add(name, case.find("failure").get("message") or "failed")
        elif skip is None and case.get("status") == "run":
            tally.add(name)
        elif case.get("status") == "disabled":
            tally.skipped.append(f"{name}: disabled")
        elif skip is None or "SKIP" not in (skip.get("message") or ""):
            # Not run at all: its program is missing, or a fixture failed.
            tally.add(name, (skip is not None and skip.get("message")) or "not run")
        else:
            reason = re.search(r"^SKIP: (.*)$", output, re.M)
            reason = reason[1] if reason else "gave no reason (print `SKIP: <reason>`)"
            if CI and (reason.startswith("component ") or reason.startswith("gave no reason")):
                tally.add(name, f"skipped, which CI does not accept: {reason}")
            else:
                tally.skipped.append(f"{name}: {reason}")
        failures += bool(tally.failed) and tally.failed[-1].startswith(name + ":")
    return failures


def ctest(tally, preset, *selection):
    """Runs ctest in a build tree and counts."""
    file = RESULTS / f"{preset}-{len(list(RESULTS.glob(preset + '-*.xml')))}.xml"
    code = run("ctest", "--test-dir", ROOT / "build" / preset, "-j", os.cpu_count() or 2,
               "--output-on-failure", "--no-tests=error", "--output-junit", file,
               "--test-output-size-passed", 65536, *selection)
    if not file.exists():
        tally.add(f"ctest {preset}", f"exited with {code} and left no results")
    elif read_results(tally, preset, file) == 0 and code != 0:
        tally.add(f"ctest {preset}", f"exited with {code}")


def check_start_up(tally, particle):
    """Start-up time is a requirement of these programs."""
    for program in (particle, particle.with_name("particle-runc"), particle.with_name("particle-fleet")):
        check_libraries(tally, program)


def check_libraries(tally, program):
    """The program may load these shared objects and no others."""
    if not program.exists():
        return
    dynamic = subprocess.run(["readelf", "-d", program], capture_output=True, text=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic))
    surplus = needed - {"libc.so.6", "libm.so.6", "libmnl.so.0", "ld-linux-x86-64.so.2"}
    tally.add(f"release: {program.name} loads no library that it does not need",
              ", ".join(sorted(surplus)) if surplus or not needed else None)


SANITIZERS = {"asan": "^(unit|netns|cni)$", "tsan": "^(unit|netns)$"}


def all_runs(tally):
    released = build(tally, "release", ["all", "tests"])
    # Many tests wait, and many must be alone. Compilers that run only when nothing else does (SCHED_IDLE) use
    # that time and take none from the tests.
    with concurrent.futures.ThreadPoolExecutor(1) as background:
        built = {preset: background.submit(build, tally, preset, ["sanitizer-tests"], ("chrt", "--idle", "0"))
                 for preset in SANITIZERS}
        if released:
            ctest(tally, "release", "-LE", "lint")
            check_start_up(tally, ROOT / "build/release/bin/particle")
        for preset, labels in SANITIZERS.items():
            if built[preset].result():
                ctest(tally, preset, "-L", labels)
    if (ROOT / "build/release/CTestTestfile.cmake").exists():
        ctest(tally, "release", "-R", "^lint: every file is formatted")


def main():
    argparse.ArgumentParser(description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for old in RESULTS.iterdir():
        old.unlink()
    leak_check, machine = ROOT / "tests/leak_check", RESULTS / "machine.txt"
    started = time.monotonic()
    tally = Tally()
    run(leak_check, "snapshot", machine)
    all_runs(tally)
    left = run(leak_check, "compare", machine)
    tally.add("leak check: the whole run", "see above" if left else None)

    print(f"\nfinished in {time.monotonic() - started:.0f} s")
    for line in tally.skipped:
        print(f"skipped: {line}")
    for line in tally.failed:
        print(f"FAILED:  {line}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped", flush=True)
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
