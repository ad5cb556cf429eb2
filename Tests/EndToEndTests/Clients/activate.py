"""Opens sockets and starts a gateway with them, as systemd does for a unit with a socket, again whenever it ends.

    activate.py NAMES CONFIG COMMAND...

There are as many sockets as NAMES, which are separated by colons. In CONFIG, which is made from CONFIG.in, PORT0, PORT1 and
so on stand for their ports. A gateway that ends with another code than 0 ends this program with the same.
"""

import ctypes
import os
import signal
import socket
import sys

names, config, command = sys.argv[1], sys.argv[2], sys.argv[3:]
sockets = []
text = open(config + ".in").read()
for index, _ in enumerate(names.split(":")):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    sockets.append(listener)
    text = text.replace(f"PORT{index}", str(listener.getsockname()[1]))
with open(config, "w") as file:
    file.write(text)

while True:
    child = os.fork()
    if child == 0:
        # PR_SET_PDEATHSIG: whoever kills this program means the gateway, too.
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        # Out of the way of the numbers that they are wanted at.
        copies = [os.dup2(listener.fileno(), 100 + index) for index, listener in enumerate(sockets)]
        for index, copy in enumerate(copies):
            os.dup2(copy, 3 + index, inheritable=True)
        os.closerange(3 + len(sockets), 200)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=names)
        os.execv(command[0], command)
    signal.signal(signal.SIGTERM, lambda number, frame: (os.kill(child, signal.SIGKILL), os._exit(0)))
    print(f"started {child}", flush=True)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        sys.exit(code if code > 0 else 99)
