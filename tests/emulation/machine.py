# SPDX-License-Identifier: Apache-2.0
"""A virtual machine that runs Debian's own kernel in QEMU: no disk, no network, its root an initramfs.

Without KVM everything is emulated, so that times mean nothing. Exit code 77 when QEMU or the kernel are
not there.
"""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys

LIMIT_S = 480


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


class Machine:
    """What is unpacked below `components`; skips the test when something is missing."""

    def __init__(self, components):
        self.root = components / "root"
        self.qemu = find_program(self.root, "qemu-system-x86_64")
        self.busybox = find_program(self.root, "busybox")
        self.image, self.modules = find_kernel(self.root)
        if os.uname().machine != "x86_64":
            print("SKIP: the emulated machine is an x86_64 one, as the programs must be")
            sys.exit(77)
        if not self.qemu:
            skip("qemu-system-x86", "packaging/components.sh did not unpack it, and it is not in PATH")
        if not self.busybox:
            skip("busybox-static", "packaging/components.sh did not unpack it, and it is not in PATH")
        if not self.image:
            skip("linux-image-cloud-amd64", "packaging/components.sh did not unpack it")

    def version(self):
        return self.image.name.removeprefix("vmlinuz-")

    def fill(self, tree, programs, modules, init):
        """An initramfs of busybox, programs with their libraries, modules and a first program."""
        for folder in ("bin", "modules"):
            (tree / folder).mkdir(parents=True)
        shutil.copy(self.busybox, tree / "bin/busybox")
        for program in programs:
            shutil.copy(program, tree / "bin" / program.name)
            for library in libraries(program):
                target = tree / library.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)
        for module in modules:
            found = next(self.modules.rglob(f"{module}.ko"), None)
            if found is None:
                sys.exit(f"the kernel has no module {module}")
            shutil.copy(found, tree / "modules")
        (tree / "init").write_text(init)
        (tree / "init").chmod(0o755)

    def pack(self, tree, archive):
        names = sorted(str(p.relative_to(tree)) for p in tree.rglob("*"))
        cpio = subprocess.run([self.busybox, "cpio", "-o", "-H", "newc"], cwd=tree, check=True,
                              input="\n".join(names).encode(), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout
        archive.write_bytes(gzip.compress(cpio, 1))

    def boot(self, archive, results, options=""):
        """Returns what came on the console; the second serial port writes `results`."""
        command = [str(self.qemu), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-m", "768", "-smp", "1", "-cpu", "max", "-net", "none",
                   "-kernel", str(self.image), "-initrd", str(archive),
                   "-append", f"console=ttyS0 panic=-1 quiet mitigations=off {options}",
                   "-serial", "stdio", "-serial", f"file:{results}"]
        environment = dict(os.environ)
        for folder in (self.root / "usr/share/qemu", self.root / "usr/share/seabios"):
            command += ["-L", str(folder)]
        if self.qemu.is_relative_to(self.root):
            found = [*self.root.glob("usr/lib/*-linux-gnu"), *self.root.glob("lib/*-linux-gnu")]
            environment["LD_LIBRARY_PATH"] = ":".join(map(str, found))
        try:
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired as late:
            sys.exit(f"not done after {LIMIT_S} s:\n{(late.stdout or b'').decode(errors='replace')}")
        console = done.stdout.decode(errors="replace")
        if not results.exists():
            sys.exit(f"QEMU did not start:\n{console}")
        return console


def check(condition, what, problems):
    print(("ok: " if condition else "FAILED: ") + what)
    if not condition:
        problems.append(what)
