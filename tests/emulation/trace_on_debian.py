#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's own kernel in QEMU and runs `particle trace` there, by fentry and by kprobes.

  trace_on_debian.py PARTICLE COMPONENTS

PARTICLE is the program, COMPONENTS the directory of packaging/components.sh. The machine has no disk and
no network: its root is an initramfs of this build's programs, busybox and the kernel's modules. Without
KVM everything is emulated, so that times mean nothing; what is counted must be right. Exit code 77 when
QEMU or the kernel are not there.
"""

import json
import pathlib
import sys
import tempfile

from machine import Machine, check

ENDPOINTS = 4
# Each after what it needs. llc and stp are the bridge's, the tunnels vxlan's.
MODULES = ("llc", "stp", "bridge", "udp_tunnel", "ip6_udp_tunnel", "vxlan", "veth")
WAYS = ("fentry", "kprobe", "auto")

INIT = """#!/bin/busybox sh
bb=/bin/busybox
$bb mkdir -p /proc /sys /dev /run /tmp
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev
$bb mount -t tracefs tracefs /sys/kernel/tracing
$bb mount -t tmpfs run /run
$bb ln -s /proc/self/fd /dev/fd
for module in %(modules)s; do $bb insmod /modules/$module.ko; done
$bb stty raw -F /dev/ttyS1
export PATH=/bin
for way in %(ways)s; do
  echo "== $way"
  echo "{\\"way\\": \\"$way\\", \\"trace\\":" >/dev/ttyS1
  particle trace --json --hertz 99 --functions $way -- particle bench --design netlink-moved \\
    --endpoints %(endpoints)d --repeats 1 --although-busy >/tmp/trace.json 2>/tmp/errors
  code=$?
  $bb cat /tmp/errors
  [ -s /tmp/trace.json ] || echo null >/tmp/trace.json
  $bb cat /tmp/trace.json >/dev/ttyS1
  echo ", \\"code\\": $code}" >/dev/ttyS1
  echo "%%" >/dev/ttyS1
done
$bb poweroff -f
"""


def judge(run, problems):
    way, trace = run["way"], run["trace"]
    check(run["code"] == 0 and trace is not None, f"{way}: particle trace ends with 0", problems)
    if not trace:
        return
    expected = "fentry" if way == "auto" else way
    check(trace["functions_by"] == expected, f"{way}: functions are timed by {expected}", problems)
    calls = {each["function"]: each for each in trace["functions"]}
    made = 2 * ENDPOINTS  # those that are measured, and as many to warm up
    # Both ends of each pair are moved.
    moves = calls.get("__dev_change_net_namespace", {"count": 0, "ms": 0})
    check(moves["count"] == 2 * made, f"{way}: {2 * made} moves, seen {moves['count']}", problems)
    check(moves["ms"] > 0, f"{way}: the moves took time", problems)
    for function, least in (("copy_net_ns", made), ("rtnl_newlink", made), ("rtnl_lock", made),
                            ("inet_rtm_newaddr", made), ("bprm_execve", 1)):
        count = calls.get(function, {"count": 0})["count"]
        check(count >= least, f"{way}: {function} at least {least} times, seen {count}", problems)
    steps = {step["name"]: step["count"] for step in trace["steps"]}
    check(steps.get("S3") == made and steps.get("S4") == made,
          f"{way}: steps S3 and S4 are marked {made} times each", problems)


def main():
    particle, components = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    machine = Machine(components)
    init = INIT % {"modules": " ".join(MODULES), "ways": " ".join(WAYS), "endpoints": ENDPOINTS}
    with tempfile.TemporaryDirectory(prefix="particle-test-emulation-") as name:
        folder = pathlib.Path(name)
        machine.fill(folder / "tree", [particle], MODULES, init)
        machine.pack(folder / "tree", folder / "initrd.gz")
        console = machine.boot(folder / "initrd.gz", folder / "results")
        text = (folder / "results").read_text(errors="replace")
    runs = [json.loads(each) for each in text.split("%\n") if each.strip()]
    problems = []
    check([run["way"] for run in runs] == list(WAYS), f"{len(WAYS)} traces were made", problems)
    print(f"kernel {machine.version()}")
    for run in runs:
        judge(run, problems)
    if problems:
        print(console)
        sys.exit(1)


if __name__ == "__main__":
    main()
