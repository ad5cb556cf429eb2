"""Says to the process that listens at a path what nobody says who takes over, with descriptors beside it.

    strange_visitor.py PATH

Prints a line for each message: how many bytes came back before the connection was closed.
"""

import os
import socket
import sys

GREETING = b"banyan-handover 1\n"
FILE = os.open("/dev/null", os.O_RDONLY)
PIPE = os.pipe()[0]
DATAGRAMS = socket.socket(socket.AF_INET, socket.SOCK_DGRAM).fileno()


def say(*messages):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.settimeout(30)
    connection.connect(sys.argv[1])
    received = 0
    try:
        for text, descriptors in messages:
            socket.send_fds(connection, [text], descriptors)
        while answer := connection.recv(65536):
            received += len(answer)
    except (BrokenPipeError, ConnectionResetError):
        pass
    print(received, flush=True)


say((b"hello", [FILE]))
say((b"hello", [FILE, PIPE, DATAGRAMS] * 40))
say((b"hello", [FILE] * 253))
say((b"", [FILE] * 5))
say((b"x" * 100_000, [FILE] * 128))
say((GREETING + b"x" * 40_000, []))
say((b"sockets, the last ones\nlistener own 127.0.0.1:1", [FILE]))
say((b"\xff\x00" * 500, [PIPE] * 100))
# One that asks as it should, with too much beside it, and goes on with something else.
say((GREETING, [FILE] * 128), (GREETING, [PIPE] * 128))
