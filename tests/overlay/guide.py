#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pastes a guide of the documentation into two machines, as a reader would.

A guide is made of the fenced blocks of a page behind lines such as

    <!-- guide: NAME a -->        on machine a; or b, or both: on a, then on b
    <!-- guide: N1,N2 a -->       of both guides


The commands come from the page alone. A machine is a set of namespaces: network, mounts, processes, host name. Over its
/usr, /etc and /var lies what packaging/components.sh unpacked, so that what a guide installs is where the package puts
it. Three commands are stand-ins (STAND_INS): apt-get does what the packages' scripts would, systemctl starts FRR by its
own script and etcd as its unit says, scp copies to the other machine.

usage: guide.py PAGE NAME BIN_DIRECTORY COMPONENTS
Exit status: 0, 1 when a command failed or did not end in time, 77 when it cannot be run here.
"""
import base64
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

BLOCK_SECONDS = 120  # a guide's slowest block waits for BGP, which takes some ten seconds
ADDRESSES = {"a": "192.0.2.1", "b": "192.0.2.2"}
MARK = re.compile(r"<!-- guide: (\S+) (a|b|both) -->\n+```\w*\n(.*?)\n```", re.DOTALL)

STAND_INS = {
    "apt-get": r"""
[ "$1 $2" = "install -y" ] || { echo "apt-get $*: a guide asks no questions: install -y" >&2; exit 1; }
shift 2
user() { addgroup --quiet --system $1; adduser --quiet --system --ingroup $1 --home $2 --no-create-home $1; }
for package; do
  case $package in
    frr)
      addgroup --quiet --system frrvty
      user frr /run/frr
      usermod -a -G frrvty frr
      mkdir -p /run/frr /var/log/frr
      chown frr:frr /etc/frr/* /run/frr /var/log/frr ;;
    etcd-server)
      user etcd /var/lib/etcd
      mkdir -p /var/lib/etcd
      chown etcd:etcd /var/lib/etcd ;;
    etcd-client) command -v etcdctl >/dev/null || exit 1 ;;
    *) command -v $package >/dev/null || { echo "no package $package" >&2; exit 1; } ;;
  esac
done
""",
    "systemctl": r"""
case "$*" in
  "restart frr") /usr/lib/frr/frrinit.sh restart >/run/frr.log 2>&1 </dev/null ;;
  "restart etcd")
    [ ! -e /run/etcd.pid ] || { kill $(cat /run/etcd.pid); while kill -0 $(cat /run/etcd.pid) 2>/dev/null; do sleep 0.1; done; }
    set -a
    ETCD_NAME=$(hostname) ETCD_DATA_DIR=/var/lib/etcd/default
    . /etc/default/etcd
    setpriv --reuid etcd --regid etcd --clear-groups etcd >/run/etcd.log 2>&1 </dev/null &
    echo $! >/run/etcd.pid
    address=${ETCD_LISTEN_CLIENT_URLS##*/}
    until (: <>/dev/tcp/${address%:*}/${address#*:}) 2>/dev/null; do
      kill -0 $! 2>/dev/null || { cat /run/etcd.log >&2; exit 1; }
      sleep 0.1
    done ;;
  *) echo "systemctl $*: not in this test" >&2; exit 1 ;;
esac
""",
    "scp": r"""
to=${2%%:*}
cp "$1" "/run/machines/${to#*@}/${2#*:}"
""",
}

# Becomes the shell that commands are pasted into. $1: directory of both machines; $2: name; $3: address; $4: programs;
# $5: components.
MACHINE = r"""
set -e
read -r pid _ </proc/self/stat  # as seen from outside: this is the old /proc
mount --make-rprivate /
hostname "$2"
mkdir "$1/layers-$2"
mount -t tmpfs layers "$1/layers-$2"
for place in usr etc var; do
  mkdir -p "$1/layers-$2/$place/upper" "$1/layers-$2/$place/work"
  lower=/$place
  [ ! -d "$5/root/$place" ] || lower=$5/root/$place:/$place
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$1/layers-$2/$place/upper,workdir=$1/layers-$2/$place/work" /$place
done
cp "$1"/bin/* /usr/local/bin/
mount -t tmpfs run /run
mkdir /run/machines /run/lock
mount --bind "$1" /run/machines
mount --bind "$1/$3" /root
mount -t proc proc /proc
umount --lazy --recursive /sys  # control groups would outlive the machine
mount -t sysfs sys /sys
ip link set lo up
export HOME=/root PATH=$4:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd /root
set +e
trap 'echo "@failed $? $BASH_COMMAND"' ERR
echo "@ready $pid"
"""


def skip(reason):
    print("SKIP: " + reason)
    sys.exit(77)


class Machine:
    def __init__(self, name, directory, programs, components):
        self.name = name
        self.log = []
        self.shell = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
             "bash", "-c", MACHINE + 'while read -r line; do eval "$line"; done',
             "machine", directory, name, ADDRESSES[name], programs, components],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True)
        self.rest = b""
        self.pid = self.until("@ready ", 20)

    def lines(self, seconds):
        """What it prints, line by line; None when the time is over or it ended."""
        deadline = time.monotonic() + seconds
        while True:
            line, found, rest = self.rest.partition(b"\n")
            if found:
                self.rest = rest
                text = line.decode(errors="replace")
                self.log.append(text)
                yield text
                continue
            ready, _, _ = select.select([self.shell.stdout], [], [], deadline - time.monotonic()) \
                if time.monotonic() < deadline else ([], [], [])
            data = os.read(self.shell.stdout.fileno(), 65536) if ready else b""
            if not data:
                yield None
                return
            self.rest += data

    def until(self, word, seconds):
        failed = None
        for line in self.lines(seconds):
            if line is None:
                raise RuntimeError(f"on {self.name}: no end after {seconds} s")
            if line.startswith(word):
                if failed:
                    raise RuntimeError(f"on {self.name}: failed with {failed}")
                return line[len(word):]
            if line.startswith("@failed "):
                failed = failed or line[len("@failed "):]
            else:
                print(f"{self.name}| {line}", flush=True)

    def paste(self, text):
        for line in text.splitlines():
            print(f"{self.name}> {line}", flush=True)
        words = base64.b64encode(text.encode()).decode()
        self.shell.stdin.write(
            f'eval "$(echo {words} | base64 -d)" </dev/null; echo; echo "@done"\n'.encode())
        self.shell.stdin.flush()
        self.until("@done", BLOCK_SECONDS)

    def end(self):
        self.shell.send_signal(signal.SIGKILL)  # of unshare, which takes the machine with it
        self.shell.wait()


def connect(a, b):
    def run(pid, *words):
        subprocess.run(["nsenter", "--net", "--target", pid, "ip", *words], check=True)

    run(a.pid, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b.pid)
    for machine in (a, b):
        run(machine.pid, "address", "add", ADDRESSES[machine.name] + "/24", "dev", "eth0")
        run(machine.pid, "link", "set", "eth0", "up")


def main():
    page, name, programs, components = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        blocks = [m.groups() for m in MARK.finditer(file.read()) if name in m.group(1).split(",")]
    if not blocks:
        sys.exit(f"{page} has no guide {name}")
    if os.geteuid() != 0:
        skip("machines need root")
    if not os.path.exists(components + "/root/usr/bin/etcd"):
        print("SKIP: component etcd: packaging/components.sh did not unpack it")
        sys.exit(77)
    directory = tempfile.mkdtemp(prefix="particle-test-guide-")
    machines = []
    try:
        os.mkdir(directory + "/bin")
        for program, text in STAND_INS.items():
            with open(f"{directory}/bin/{program}", "w", encoding="utf-8") as file:
                file.write("#!/bin/bash" + text)
            os.chmod(f"{directory}/bin/{program}", 0o755)
        for machine, address in ADDRESSES.items():
            os.mkdir(f"{directory}/{address}")
            machines.append(Machine(machine, directory, programs, components))
        connect(*machines)
        for _, where, text in blocks:
            for machine in machines:
                if where in (machine.name, "both"):
                    machine.paste(text)
        print("Every command did what the page says.")
    except RuntimeError as failure:
        sys.exit(str(failure))
    finally:
        for machine in machines:
            machine.end()
        shutil.rmtree(directory)


main()
