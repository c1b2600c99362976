#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's own kernel in QEMU, where cgroup v2 has all controllers, and runs `particle fleet run`
with limits there.

  limits_on_v2.py PROGRAMS COMPONENTS

PROGRAMS is the directory of this build's programs, COMPONENTS that of packaging/components.sh. machine.py
says what the machine is.
"""

import json
import pathlib
import sys
import tempfile

from machine import Machine, check

PROGRAMS = ("particle", "particle-fleet", "particle-spawn")
# Each after what it needs. llc and stp are the bridge's, the tunnels vxlan's.
MODULES = ("llc", "stp", "bridge", "udp_tunnel", "ip6_udp_tunnel", "vxlan", "veth", "overlay")
APPLETS = ("sh", "cat", "cut", "sleep", "tail", "timeout", "true", "echo")
MECHANISMS = ("ebpf", "seccomp", "off")
BURN_S = 3

# An initramfs cannot be the root that pivot_root(2) leaves: everything moves to a tmpfs first.
INIT = """#!/bin/busybox sh
/bin/busybox mkdir /new
/bin/busybox mount -t tmpfs -o mode=755 root /new
for each in bin lib lib64 usr modules image work; do
  [ ! -e /$each ] || /bin/busybox cp -a /$each /new/
done
/bin/busybox mkdir -p /new/proc /new/sys /new/dev /new/run /new/tmp /new/etc
exec /bin/busybox switch_root /new /work
"""

WORK = """#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sysfs /sys
$bb mount -t devtmpfs dev /dev
$bb mount -t tmpfs run /run
$bb mount -t cgroup2 cgroup2 /sys/fs/cgroup
$bb mount -t bpf bpf /sys/fs/bpf
$bb ln -s /proc/self/fd /dev/fd
for module in %(modules)s; do $bb insmod /modules/$module.ko; done
$bb stty raw -F /dev/ttyS1
export PATH=/bin
$bb ip link set lo up
$bb ip address add 192.0.2.1/24 dev lo
particle create-pool job --tenant acme --vni 41 --prefix 10.50.0.0/24 --underlay-ip 192.0.2.1
say() { # NAME ENFORCE FILE
  $bb cat /tmp/errors
  [ -s "$3" ] || echo null >"$3"
  { echo "{\\"what\\": \\"$1\\", \\"enforce\\": \\"$2\\", \\"found\\":"; $bb cat "$3"; echo "}"; echo "%%"; } >/dev/ttyS1
}
run() { # NAME ENFORCE OPTIONS...
  echo "== $*"
  name=$1 enforce=$2; shift 2
  particle fleet run --here --json --pool job --image /image --enforce $enforce "$@" >/tmp/out 2>/tmp/errors
  say $name $enforce /tmp/out
}
sleepers() { set -- $($bb pidof sleep); echo $#; }
groups() { $bb find /sys/fs/cgroup -mindepth 1 -type d | $bb grep -v '/init.scope$'; }
as_text() { echo "\\"$($bb tr '\\n' ' ')\\""; }
for enforce in %(mechanisms)s; do
  run memory $enforce --memory 16M -- tail /dev/zero
  run pids $enforce --pids 5 -- sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; echo all; wait'
  run cpus $enforce --cpus 0.2 -- sh -c 'timeout %(burn)d sh -c "while :; do :; done"; cut -d" " -f16,17 /proc/$$/stat'
  run root $enforce --memory 16M --pids 9 -- cat /proc/self/cgroup
  groups | as_text >/tmp/out; say left $enforce /tmp/out
  # What the kernel was told, and what a kill -9 leaves.
  particle fleet run --here --pool job --image /image --enforce $enforce --count 2 --memory 16M --cpus 0.5 --pids 9 \\
    -- sleep 600 >/tmp/errors 2>&1 &
  for try in $($bb seq 200); do [ "$(sleepers)" = 2 ] && break; $bb usleep 100000; done
  { for file in memory.max memory.swap.max cpu.max pids.max cgroup.procs; do
    for group in $(groups); do
      [ -z "$($bb cat $group/cgroup.procs)" ] || echo "$file=$($bb cat $group/$file | $bb wc -l):$($bb head -n 1 $group/$file);"
    done; done; } | as_text >/tmp/out
  say told $enforce /tmp/out
  $bb kill -9 $($bb pidof particle-spawn particle-fleet)
  run after $enforce --pids 9 -- true
  { groups; $bb pidof sleep; } | as_text >/tmp/out; say swept $enforce /tmp/out
done
$bb poweroff -f
"""


def judge(what, enforce, found, problems):
    def expect(condition, text):
        check(condition, f"{enforce}: {text}", problems)

    if isinstance(found, dict) and found.get("instances"):
        one = found["instances"][0]
        print(f"   {what}: {one.get('ended')} {one.get('detail', '')} {one['output']!r} {one['error_output']!r}")
    else:
        one = {"output": "", "error_output": ""}
        print(f"   {what}: {found!r}")
    if what == "memory":
        expect(one.get("ended") == "out_of_memory", "16 MiB of memory end what takes more")
    elif what == "pids":
        expect(one.get("ended") == "failed" and "fork" in one["error_output"], "5 processes, and no sixth")
    elif what == "cpus":
        ticks = sum(map(int, one["output"].split() or [9999]))
        # In ticks of 10 ms: a fifth, with room for a period or two and the beginning of it all.
        expect(0 < ticks <= BURN_S * 20 + 30, f"a fifth of a processor: {ticks} ticks in {BURN_S} s")
    elif what == "root":
        expect(one["output"].strip() == "0::/", "its control group is the root of what it sees")
    elif what == "told":
        for file, value in (("memory.max", "16777216"), ("memory.swap.max", "0"), ("cpu.max", "50000 100000"),
                            ("pids.max", "9")):
            expect(found is not None and found.count(f"{file}=1:{value};") == 2, f"{file} is {value} in both groups")
        expect(found is not None and found.count("cgroup.procs=2:") == 2, "each group has init and command")
    elif what == "after":
        expect(one.get("ended") == "ok", "the next launcher starts")
    else:
        expect(found == "", f"no group is left ({what})")


def main():
    programs, components = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    machine = Machine(components)
    with tempfile.TemporaryDirectory(prefix="particle-test-emulation-") as name:
        folder = pathlib.Path(name)
        tree = folder / "tree"
        machine.fill(tree, [programs / each for each in PROGRAMS], MODULES, INIT)
        (tree / "image/bin").mkdir(parents=True)
        (tree / "image/bin/busybox").hardlink_to(tree / "bin/busybox")
        for applet in APPLETS:
            (tree / "image/bin" / applet).symlink_to("busybox")
        (tree / "work").write_text(WORK % {"modules": " ".join(MODULES), "burn": BURN_S,
                                           "mechanisms": " ".join(MECHANISMS)})
        (tree / "work").chmod(0o755)
        machine.pack(tree, folder / "initrd.gz")
        console = machine.boot(folder / "initrd.gz", folder / "results")
        text = (folder / "results").read_text(errors="replace")
    print(f"kernel {machine.version()}")
    problems = []
    reports = [json.loads(each) for each in text.split("%\n") if each.strip()]
    check(len(reports) == 8 * len(MECHANISMS), f"{8 * len(MECHANISMS)} reports came", problems)
    for report in reports:
        judge(report["what"], report["enforce"], report["found"], problems)
    if problems:
        print(console)
        sys.exit(1)


if __name__ == "__main__":
    main()
