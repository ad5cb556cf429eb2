"""What the W3C Trace Context harness calls a test service, so that it tests a gateway: trace_context_relay.py PORT GATEWAY_PORT.

The harness posts a list of calls ([{"url", "arguments"}]) and sees what comes back to its own server. Each call is made
through the gateway, whose upstream is that server, with the very field lines that the harness sent: duplicates, order, case
and white space included."""

import json
import socket
import sys
import threading
from urllib.parse import urlsplit

# Fields that the relay's own requests have.
OWN = {b"accept", b"accept-encoding", b"connection", b"content-length", b"content-type", b"host", b"user-agent"}


def read(stream) -> tuple[list[bytes], bytes]:
    """The lines of a head and the body; no lines at the end."""
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line.removesuffix(b"\r\n"))
    named = {line.split(b":")[0].lower(): line.split(b":", 1)[-1] for line in lines[1:]}
    return lines, stream.read(int(named.get(b"content-length", b"0")))


def call(gateway: int, action: dict, fields: list[bytes]) -> None:
    url = urlsplit(action["url"])
    body = json.dumps(action["arguments"]).encode()
    head = [f"POST {url.path} HTTP/1.1".encode(), f"Host: {url.netloc}".encode(), b"Content-Type: application/json"]
    head += [f"Content-Length: {len(body)}".encode(), *fields, b"", b""]
    with socket.create_connection(("127.0.0.1", gateway), timeout=5) as wire:
        wire.sendall(b"\r\n".join(head) + body)
        lines, _ = read(wire.makefile("rb"))
    if not lines or b" 200 " not in lines[0]:
        print("the gateway answered", lines[:1], "to", fields, file=sys.stderr, flush=True)


def serve(wire: socket.socket, gateway: int) -> None:
    with wire, wire.makefile("rb") as stream:
        while True:
            lines, body = read(stream)
            if not lines:
                return
            fields = [line for line in lines[1:] if line.split(b":")[0].lower() not in OWN]
            for action in json.loads(body):
                call(gateway, action, fields)
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull")


def main(port: int, gateway: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("relay listening", flush=True)
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0], gateway), daemon=True).start()


main(int(sys.argv[1]), int(sys.argv[2]))
