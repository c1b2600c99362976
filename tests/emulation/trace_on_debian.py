#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots Debian's own kernel in QEMU and runs `particle trace` there, by fentry and by kprobes.

  trace_on_debian.py PARTICLE COMPONENTS

PARTICLE is the program, COMPONENTS the directory of packaging/components.sh. The machine has no disk and
no network: its root is an initramfs of this build's programs, busybox and the kernel's modules. Without
KVM everything is emulated, so that times mean nothing; what is counted must be right. Exit code 77 when
QEMU or the kernel are not there.
"""

import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

LIMIT_S = 480
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


def skip(component, why):
    print(f"SKIP: component {component}: {why}")
    sys.exit(77)


def find_program(root, name):
    for folder in ("usr/bin", "bin", "usr/sbin"):
        if os.access(root / folder / name, os.X_OK):
            return root / folder / name
    found = shutil.which(name)
    return pathlib.Path(found) if found else None


def find_kernel(root):
    """The image and its modules' directory."""
    for image in sorted((root / "boot").glob("vmlinuz-*"), reverse=True):
        modules = root / "lib/modules" / image.name.removeprefix("vmlinuz-")
        if modules.is_dir():
            return image, modules
    return None, None


def libraries(program):
    """What the dynamic linker loads for a program, with itself; nothing for a static one."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(/\S+)", out)


def fill(tree, particle, busybox, modules):
    for folder in ("bin", "modules"):
        (tree / folder).mkdir()
    shutil.copy(busybox, tree / "bin/busybox")
    shutil.copy(particle, tree / "bin/particle")
    for library in libraries(particle):
        target = tree / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    for module in MODULES:
        found = next(modules.rglob(f"{module}.ko"), None)
        if found is None:
            sys.exit(f"the kernel has no module {module}")
        shutil.copy(found, tree / "modules")
    init = tree / "init"
    init.write_text(INIT % {"modules": " ".join(MODULES), "ways": " ".join(WAYS),
                            "endpoints": ENDPOINTS})
    init.chmod(0o755)


def pack(tree, busybox, archive):
    names = sorted(str(p.relative_to(tree)) for p in tree.rglob("*"))
    cpio = subprocess.run([busybox, "cpio", "-o", "-H", "newc"], cwd=tree, check=True,
                          input="\n".join(names).encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout
    archive.write_bytes(gzip.compress(cpio, 1))


def boot(qemu, root, image, archive, results):
    command = [str(qemu), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-m", "768", "-smp", "1", "-cpu", "max", "-net", "none",
               "-kernel", str(image), "-initrd", str(archive),
               "-append", "console=ttyS0 panic=-1 quiet mitigations=off",
               "-serial", "stdio", "-serial", f"file:{results}"]
    environment = dict(os.environ)
    for folder in (root / "usr/share/qemu", root / "usr/share/seabios"):
        command += ["-L", str(folder)]
    if qemu.is_relative_to(root):
        found = [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, found))
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT_S, check=False)
        return done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        sys.exit(f"not done after {LIMIT_S} s:\n{(late.stdout or b'').decode(errors='replace')}")


def check(condition, what, problems):
    print(("ok: " if condition else "FAILED: ") + what)
    if not condition:
        problems.append(what)


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
    root = components / "root"
    qemu = find_program(root, "qemu-system-x86_64")
    busybox = find_program(root, "busybox")
    image, modules = find_kernel(root)
    if os.uname().machine != "x86_64":
        print("SKIP: the emulated machine is an x86_64 one, as the programs must be")
        sys.exit(77)
    if not qemu:
        skip("qemu-system-x86", "packaging/components.sh did not unpack it, and it is not in PATH")
    if not busybox:
        skip("busybox-static", "packaging/components.sh did not unpack it, and it is not in PATH")
    if not image:
        skip("linux-image-cloud-amd64", "packaging/components.sh did not unpack it")
    with tempfile.TemporaryDirectory(prefix="particle-test-emulation-") as name:
        folder = pathlib.Path(name)
        (folder / "tree").mkdir()
        fill(folder / "tree", particle, busybox, modules)
        pack(folder / "tree", busybox, folder / "initrd.gz")
        console = boot(qemu, root, image, folder / "initrd.gz", folder / "results")
        if not (folder / "results").exists():
            sys.exit(f"QEMU did not start:\n{console}")
        text = (folder / "results").read_text(errors="replace")
    runs = [json.loads(each) for each in text.split("%\n") if each.strip()]
    problems = []
    check([run["way"] for run in runs] == list(WAYS), f"{len(WAYS)} traces were made", problems)
    print(f"kernel {image.name.removeprefix('vmlinuz-')}")
    for run in runs:
        judge(run, problems)
    if problems:
        print(console)
        sys.exit(1)


if __name__ == "__main__":
    main()
