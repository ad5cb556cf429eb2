"""Asks the process that listens at a path for its listening sockets, prints how many came, and holds them.

    take_over.py PATH [USER]

With USER it does so as that user. It never says that it serves.
"""

import os
import socket
import sys
import time

if len(sys.argv) > 2:
    os.setuid(int(sys.argv[2]))
connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
connection.connect(sys.argv[1])
try:
    connection.send(b"banyan-handover 1\n")
    text, sockets, _, _ = socket.recv_fds(connection, 32768, 128)
except OSError:
    text, sockets = b"", []
print(f"{len(sockets)} sockets: {text!r}", flush=True)
if sockets:
    time.sleep(60)
