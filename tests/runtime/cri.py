#!/usr/bin/python3
"""A client of the Kubernetes container runtime interface (CRI v1), as small as the tests need it.

  cri.py SOCKET run-pod NAME CGROUP_PARENT [ANNOTATION=VALUE]...   prints the pod's id
  cri.py SOCKET run CONTAINER POD IMAGE WORD...                    creates and starts; prints the id
  cri.py SOCKET exec CONTAINER_ID WORD...                          prints the output, returns the status
  cri.py SOCKET stop-pod POD | remove-pod POD | version

Requests are encoded by hand, with the field numbers of the CRI's definition: no generated code, and no
compiler for it.
"""

import sys

import grpc

SERVICE = "/runtime.v1.RuntimeService/"
PATIENCE = 30


def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def message(fields):
    """{field number: str, bytes, int, dict (a message) or list of these} as protobuf."""
    encoded = b""
    for number, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                encoded += varint(number << 3) + varint(item)
                continue
            data = message(item) if isinstance(item, dict) else \
                item.encode() if isinstance(item, str) else item
            encoded += varint(number << 3 | 2) + varint(len(data)) + data
    return encoded


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def fields(data):
    """The last value of each field: an int or bytes."""
    found, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        found[tag >> 3] = value
    return found


class Client:
    def __init__(self, socket):
        self.channel = grpc.insecure_channel("unix://" + socket)

    def call(self, method, request):
        stub = self.channel.unary_unary(SERVICE + method)
        return fields(stub(message(request), timeout=PATIENCE, wait_for_ready=True))


def pod_config(name, parent, annotations):
    entries = [dict(zip((1, 2), text.split("=", 1))) for text in annotations]
    metadata = {1: name, 2: name + "-uid", 3: "tests", 4: 0}
    return {1: metadata, 2: name, 7: entries, 8: {1: parent}}


def run_container(client, name, pod, image, words):
    config = {1: {1: name, 2: 0}, 2: {1: image}, 3: words}
    request = {1: pod, 2: config, 3: pod_config("unused", "", [])}
    container = client.call("CreateContainer", request)[1].decode()
    client.call("StartContainer", {1: container})
    return container


def run(client, verb, words):
    if verb == "run-pod":
        print(client.call("RunPodSandbox", {1: pod_config(words[0], words[1], words[2:])})[1].decode())
    elif verb == "run":
        print(run_container(client, words[0], words[1], words[2], words[3:]))
    elif verb == "exec":
        answer = client.call("ExecSync", {1: words[0], 2: words[1:], 3: PATIENCE})
        sys.stdout.write(answer.get(1, b"").decode())
        return answer.get(3, 0)
    elif verb == "stop-pod":
        client.call("StopPodSandbox", {1: words[0]})
    elif verb == "remove-pod":
        client.call("RemovePodSandbox", {1: words[0]})
    elif verb == "version":
        print(client.call("Version", {})[3].decode())
    else:
        sys.exit(__doc__)
    return 0


def main():
    try:
        return run(Client(sys.argv[1]), sys.argv[2], sys.argv[3:])
    except grpc.RpcError as error:
        print(error.details(), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
